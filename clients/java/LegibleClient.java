// SPDX-License-Identifier: Apache-2.0

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A client of the legible service for Java 17 and later, without dependencies: copy this file.
 *
 * <pre>{@code
 * var client = new LegibleClient("http://localhost:3000");
 * System.out.println(client.read(Path.of("word.png")).text());
 * }</pre>
 *
 * It retries where the service says so (429, 502, 503, 504) or does not answer, bounds what it accepts from the
 * service, and ignores fields that it does not know. Instances are immutable and may be used by several threads.
 */
public final class LegibleClient {
    private static final Set<Integer> RETRIED = Set.of(429, 502, 503, 504);
    /** Options that go with the upload; all others are a part of the address. */
    private static final Set<String> FIELDS = Set.of("channel", "document", "sender");
    private static final double MAX_PAUSE_SECONDS = 30;
    private static final int MAX_ANSWER_BYTES = 50_000_000;

    private final String address;
    private final String key;
    private final int tries;
    private final Duration timeout;
    private final HttpClient http;

    /** A character of a reading, or another text, and the probability that it is right. */
    public record Guess(String text, double confidence) {}

    /** What the service answered for one image. */
    public record Reading(
            String text, double confidence, boolean accepted, List<Guess> characters, List<Guess> alternatives,
            String readingId, String bundle) {}

    /** The reading of one image of a batch, or why there is none; exactly one of the two is null. */
    public record Outcome(Reading reading, ServiceException error) {}

    /** A point in pixels of the picture as it was sent. */
    public record Point(double x, double y) {}

    /** A word of a line. */
    public record Word(String text, double confidence, List<Point> polygon) {}

    /** A line of a page; lines of a block with the same {@code row} stand side by side. */
    public record Line(
            String text, double confidence, boolean accepted, int row, List<Point> polygon, List<Word> words,
            String readingId) {}

    /** Lines that belong together, in reading order. */
    public record Block(List<Line> lines) {}

    /**
     * A page; {@code outline} holds the corners of the sheet in a photograph, {@code angle} the degrees by which the
     * text leans, {@code turns} the quarter turns that make it upright.
     */
    public record Page(
            int number, int width, int height, List<Point> outline, double angle, int turns, String source,
            List<Block> blocks) {
        /** The lines in reading order. */
        public List<Line> lines() {
            return blocks.stream().flatMap(block -> block.lines().stream()).toList();
        }
    }

    /** The pages of a document. */
    public record Document(List<Page> pages, String bundle) {}

    /** The service refused an image or a request; {@code code} is one of those in docs/service.md. */
    public static final class ServiceException extends IOException {
        private static final long serialVersionUID = 1;
        private final String code;

        ServiceException(String code, String message) {
            super(code + ": " + message);
            this.code = code;
        }

        public String code() {
            return code;
        }
    }

    public LegibleClient(String address) {
        this(address, "", 6, Duration.ofSeconds(60));
    }

    /**
     * @param address such as {@code http://localhost:3000}
     * @param key     sent as a bearer token; empty for none
     * @param tries   how often a request is sent at most
     * @param timeout of one request until its answer begins, and then of the rest of its answer
     */
    public LegibleClient(String address, String key, int tries, Duration timeout) {
        if (tries < 1) {
            throw new IllegalArgumentException("tries is " + tries + "; it needs 1 or more");
        }
        this.address = address.replaceAll("/+$", "");
        this.key = key;
        this.tries = tries;
        this.timeout = timeout;
        this.http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(timeout).build();
    }

    /** Read one image file. Throws ServiceException where it is refused. */
    public Reading read(Path image) throws IOException, InterruptedException {
        return read(Files.readAllBytes(image), Map.of());
    }

    /**
     * Read one image.
     *
     * @param options any of accept, lexicon, alternatives, model and channel
     */
    public Reading read(byte[] image, Map<String, String> options) throws IOException, InterruptedException {
        return reading(object(post("/read", "image", List.of(image), options)));
    }

    /**
     * Read many images, {@code batch} to a request; a reading or an error for each, in order.
     *
     * <p>What is refused as too large together is sent in halves, in the end one by one.
     */
    public List<Outcome> readMany(List<byte[]> images, int batch, Map<String, String> options)
            throws IOException, InterruptedException {
        if (batch < 1) {
            throw new IllegalArgumentException("batch is " + batch + "; it needs 1 or more");
        }
        var outcomes = new ArrayList<Outcome>();
        for (int start = 0; start < images.size(); start += batch) {
            outcomes.addAll(readSome(images.subList(start, Math.min(start + batch, images.size())), options));
        }
        return outcomes;
    }

    private List<Outcome> readSome(List<byte[]> images, Map<String, String> options)
            throws IOException, InterruptedException {
        Map<String, Object> content;
        try {
            content = object(post("/read_batch", "images", images, options));
        } catch (ServiceException error) {
            if (!error.code().equals("too_large")) {
                throw error;
            }
            if (images.size() == 1) {
                return List.of(new Outcome(null, error));
            }
            int half = images.size() / 2;
            var both = new ArrayList<>(readSome(images.subList(0, half), options));
            both.addAll(readSome(images.subList(half, images.size()), options));
            return both;
        }
        var outcomes = new ArrayList<Outcome>();
        for (Object one : list(content.get("readings"))) {
            var fields = object(one);
            outcomes.add(fields.containsKey("error")
                    ? new Outcome(null, error(fields))
                    : new Outcome(reading(fields), null));
        }
        if (outcomes.size() != images.size()) {
            throw new ServiceException(
                    "wrong_answer", outcomes.size() + " readings came back for " + images.size() + " images");
        }
        return outcomes;
    }

    /** Read the pages of a picture, TIFF or PDF. Throws ServiceException where it is refused. */
    public Document readPage(Path file) throws IOException, InterruptedException {
        return readPage(Files.readAllBytes(file), Map.of());
    }

    /**
     * Read the pages of a picture, TIFF or PDF.
     *
     * @param options any of accept, model, corners ({@code "x,y,x,y,x,y,x,y"}), document and sender
     */
    public Document readPage(byte[] file, Map<String, String> options) throws IOException, InterruptedException {
        return document(object(post("/read_page", "image", List.of(file), options)));
    }

    /**
     * Read the pages of a picture, TIFF or PDF, and return a file of another format.
     *
     * @param format one of text, hocr, alto, page and pdf
     */
    public byte[] readPageAs(String format, byte[] file, Map<String, String> options)
            throws IOException, InterruptedException {
        var asked = new LinkedHashMap<>(options);
        asked.put("format", format);
        return send(upload("/read_page", "image", List.of(file), asked));
    }

    /** Say what a reading should have been. */
    public void correct(String readingId, String text) throws IOException, InterruptedException {
        var body = "{\"reading_id\": " + Json.quoted(readingId) + ", \"text\": " + Json.quoted(text) + "}";
        json(send(request("/feedback")
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build()));
    }

    private Object post(String path, String field, List<byte[]> images, Map<String, String> options)
            throws IOException, InterruptedException {
        return json(send(upload(path, field, images, options)));
    }

    private HttpRequest upload(String path, String field, List<byte[]> images, Map<String, String> options) {
        var boundary = "legible-" + UUID.randomUUID();
        var query = new StringBuilder();
        for (var option : options.entrySet()) {
            if (!FIELDS.contains(option.getKey())) {
                query.append(query.isEmpty() ? "?" : "&").append(encoded(option.getKey())).append("=")
                        .append(encoded(option.getValue()));
            }
        }
        return request(path + query)
                .header("Content-Type", "multipart/form-data; boundary=" + boundary)
                .POST(HttpRequest.BodyPublishers.ofByteArray(multipart(boundary, field, images, options)))
                .build();
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    private static byte[] multipart(
            String boundary, String field, List<byte[]> images, Map<String, String> options) {
        var body = new ByteArrayOutputStream();
        for (String name : FIELDS) {
            if (!options.getOrDefault(name, "").isEmpty()) {
                body.writeBytes(utf8("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name
                        + "\"\r\n\r\n" + options.get(name) + "\r\n"));
            }
        }
        for (byte[] image : images) {
            body.writeBytes(utf8("--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + field
                    + "\"; filename=\"image\"\r\nContent-Type: application/octet-stream\r\n\r\n"));
            body.writeBytes(image);
            body.writeBytes(utf8("\r\n"));
        }
        body.writeBytes(utf8("--" + boundary + "--\r\n"));
        return body.toByteArray();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private HttpRequest.Builder request(String path) {
        var request = HttpRequest.newBuilder(URI.create(address + path)).timeout(timeout);
        return key.isEmpty() ? request : request.header("Authorization", "Bearer " + key);
    }

    /** Send a request until it succeeds, is refused, or has been tried often enough; the body of the answer. */
    private byte[] send(HttpRequest request) throws IOException, InterruptedException {
        for (int number = 1; ; number++) {
            HttpResponse<InputStream> answer;
            try {
                answer = http.send(request, HttpResponse.BodyHandlers.ofInputStream());
            } catch (IOException error) {
                if (number >= tries) {
                    throw error;
                }
                pause("", number);
                continue;
            }
            var body = bounded(answer.body());
            if (!RETRIED.contains(answer.statusCode()) || number >= tries) {
                return accepted(answer.statusCode(), body);
            }
            pause(answer.headers().firstValue("Retry-After").orElse(""), number);
        }
    }

    /** Read an answer within bounds of bytes and time: what a server sends may never end. */
    private byte[] bounded(InputStream stream) throws IOException {
        var late = new AtomicBoolean();
        var ending = CompletableFuture.runAsync(
                () -> {
                    late.set(true);
                    closeNow(stream);
                },
                CompletableFuture.delayedExecutor(timeout.toMillis(), TimeUnit.MILLISECONDS));
        try (stream) {
            byte[] body = stream.readNBytes(MAX_ANSWER_BYTES + 1);
            if (body.length > MAX_ANSWER_BYTES) {
                throw new ServiceException("wrong_answer", "the answer is larger than " + MAX_ANSWER_BYTES + " bytes");
            }
            if (!late.get()) {
                return body;
            }
        } catch (IOException broken) {
            if (!late.get()) {
                throw broken;
            }
        } finally {
            ending.cancel(false);
        }
        throw new HttpTimeoutException("the answer took more than " + timeout.toSeconds() + " s");
    }

    private static void closeNow(InputStream stream) {
        try {
            stream.close();
        } catch (IOException gone) {
            throw new UncheckedIOException(gone);
        }
    }

    private static byte[] accepted(int status, byte[] body) throws ServiceException {
        if (status >= 200 && status < 300) {
            return body;
        }
        throw error(object(parsed(body, String.valueOf(status))));
    }

    private static Object json(byte[] body) throws ServiceException {
        return parsed(body, "wrong_answer");
    }

    private static Object parsed(byte[] body, String code) throws ServiceException {
        var text = new String(body, StandardCharsets.UTF_8);
        try {
            return new Json(text).parse();
        } catch (IllegalArgumentException damaged) {
            throw new ServiceException(code, text.substring(0, Math.min(text.length(), 200)));
        }
    }

    /** Wait as long as the service asks for, else twice as long each time; at most MAX_PAUSE_SECONDS. */
    private static void pause(String asked, int number) throws InterruptedException {
        double seconds = asked.matches("\\d{1,9}") ? Double.parseDouble(asked) : 0.25 * Math.pow(2, number);
        Thread.sleep((long) (1000 * Math.min(seconds, MAX_PAUSE_SECONDS)));
    }

    private static Reading reading(Map<String, Object> fields) throws ServiceException {
        try {
            return new Reading(
                    (String) fields.get("text"),
                    ((Number) fields.get("confidence")).doubleValue(),
                    (Boolean) fields.get("accepted"),
                    guesses(fields.get("characters")),
                    guesses(fields.get("alternatives")),
                    (String) fields.get("reading_id"),
                    (String) fields.get("bundle"));
        } catch (ClassCastException | NullPointerException missing) {
            throw new ServiceException("wrong_answer", "the answer is no reading; is it legible that answers?");
        }
    }

    private static List<Guess> guesses(Object values) throws ServiceException {
        var guesses = new ArrayList<Guess>();
        for (Object one : values == null ? List.of() : list(values)) {
            var fields = object(one);
            guesses.add(new Guess((String) fields.get("text"), ((Number) fields.get("confidence")).doubleValue()));
        }
        return List.copyOf(guesses);
    }

    private static Document document(Map<String, Object> fields) throws ServiceException {
        try {
            var pages = new ArrayList<Page>();
            for (Object one : list(fields.get("pages"))) {
                pages.add(page(object(one)));
            }
            return new Document(List.copyOf(pages), (String) fields.get("bundle"));
        } catch (ClassCastException | NullPointerException | IndexOutOfBoundsException missing) {
            throw new ServiceException("wrong_answer", "the answer is no document; is it legible that answers?");
        }
    }

    private static Page page(Map<String, Object> fields) throws ServiceException {
        var blocks = new ArrayList<Block>();
        for (Object one : list(fields.get("blocks"))) {
            var lines = new ArrayList<Line>();
            for (Object line : list(object(one).get("lines"))) {
                lines.add(line(object(line)));
            }
            blocks.add(new Block(List.copyOf(lines)));
        }
        var size = list(fields.get("size"));
        return new Page(
                whole(fields.get("number")), whole(size.get(0)), whole(size.get(1)), points(fields.get("outline")),
                ((Number) fields.get("angle")).doubleValue(), whole(fields.get("turns")),
                (String) fields.get("source"), List.copyOf(blocks));
    }

    private static Line line(Map<String, Object> fields) throws ServiceException {
        var words = new ArrayList<Word>();
        for (Object one : list(fields.get("words"))) {
            var word = object(one);
            words.add(new Word(
                    (String) word.get("text"), ((Number) word.get("confidence")).doubleValue(),
                    points(word.get("polygon"))));
        }
        return new Line(
                (String) fields.get("text"), ((Number) fields.get("confidence")).doubleValue(),
                (Boolean) fields.get("accepted"), whole(fields.get("row")), points(fields.get("polygon")),
                List.copyOf(words), (String) fields.getOrDefault("reading_id", ""));
    }

    private static int whole(Object value) {
        return ((Number) value).intValue();
    }

    private static List<Point> points(Object values) throws ServiceException {
        var points = new ArrayList<Point>();
        for (Object one : list(values)) {
            var pair = list(one);
            points.add(new Point(((Number) pair.get(0)).doubleValue(), ((Number) pair.get(1)).doubleValue()));
        }
        return List.copyOf(points);
    }

    private static ServiceException error(Map<String, Object> fields) throws ServiceException {
        var said = object(fields.get("error"));
        return new ServiceException(String.valueOf(said.get("code")), String.valueOf(said.get("message")));
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> object(Object value) throws ServiceException {
        if (value instanceof Map) {
            return (Map<String, Object>) value;
        }
        throw new ServiceException("wrong_answer", "the answer is no JSON object; is it legible that answers?");
    }

    private static List<?> list(Object value) throws ServiceException {
        if (value instanceof List<?> values) {
            return values;
        }
        throw new ServiceException("wrong_answer", "the answer lacks a list; is it legible that answers?");
    }

    /** A JSON reader (RFC 8259) into Map, List, String, Double, Boolean and null, nested MAX_DEPTH deep at most. */
    private static final class Json {
        private static final int MAX_DEPTH = 32;
        private final String text;
        private int place;
        private int depth;

        Json(String text) {
            this.text = text;
        }

        Object parse() {
            Object value = value();
            if (next() != '\0') {
                throw damaged();
            }
            return value;
        }

        private Object value() {
            if (++depth > MAX_DEPTH) {
                throw damaged();
            }
            Object value = switch (next()) {
                case '{' -> object();
                case '[' -> array();
                case '"' -> string();
                case 't' -> literal("true", true);
                case 'f' -> literal("false", false);
                case 'n' -> literal("null", null);
                default -> number();
            };
            depth--;
            return value;
        }

        private Map<String, Object> object() {
            var fields = new LinkedHashMap<String, Object>();
            place++;
            while (next() != '}') {
                if (!fields.isEmpty()) {
                    expect(',');
                }
                next();
                String name = string();
                expect(':');
                fields.put(name, value());
            }
            place++;
            return fields;
        }

        private List<Object> array() {
            var values = new ArrayList<>();
            place++;
            while (next() != ']') {
                if (!values.isEmpty()) {
                    expect(',');
                }
                values.add(value());
            }
            place++;
            return values;
        }

        private String string() {
            if (at(place++) != '"') {
                throw damaged();
            }
            var found = new StringBuilder();
            for (char c = at(place++); c != '"'; c = at(place++)) {
                if (c < ' ') {
                    throw damaged();
                }
                found.append(c == '\\' ? escaped() : c);
            }
            return found.toString();
        }

        private char escaped() {
            char c = at(place++);
            return switch (c) {
                case '"', '\\', '/' -> c;
                case 'b' -> '\b';
                case 'f' -> '\f';
                case 'n' -> '\n';
                case 'r' -> '\r';
                case 't' -> '\t';
                case 'u' -> {
                    place += 4;
                    if (place > text.length()) {
                        throw damaged();
                    }
                    yield (char) Integer.parseInt(text.substring(place - 4, place), 16);
                }
                default -> throw damaged();
            };
        }

        private Object literal(String word, Object value) {
            if (!text.startsWith(word, place)) {
                throw damaged();
            }
            place += word.length();
            return value;
        }

        private Double number() {
            int start = place;
            while ("+-.0123456789eE".indexOf(at(place)) >= 0) {
                place++;
            }
            return Double.valueOf(text.substring(start, place));
        }

        private void expect(char wanted) {
            if (next() != wanted) {
                throw damaged();
            }
            place++;
        }

        /** The next character that is no white space, without taking it; NUL at the end. */
        private char next() {
            while (place < text.length() && " \t\r\n".indexOf(text.charAt(place)) >= 0) {
                place++;
            }
            return at(place);
        }

        private char at(int where) {
            return where < text.length() ? text.charAt(where) : '\0';
        }

        private IllegalArgumentException damaged() {
            return new IllegalArgumentException("damaged JSON at character " + place);
        }

        static String quoted(String text) {
            var found = new StringBuilder("\"");
            for (char c : text.toCharArray()) {
                found.append(c == '"' || c == '\\' ? "\\" + c : c < ' ' ? String.format("\\u%04x", (int) c) : "" + c);
            }
            return found.append('"').toString();
        }
    }

    /**
     * {@code java LegibleClient.java ADDRESS IMAGE...} prints the confidence and text of each image; with {@code --page}
     * before the images, of each line of each document; {@code --page=pdf} writes the file of another format.
     */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        boolean arePages = arguments.length > 1 && arguments[1].startsWith("--page");
        int first = arePages ? 2 : 1;
        if (arguments.length <= first) {
            System.err.println("java LegibleClient.java http://localhost:3000 [--page[=FORMAT]] word.png ...");
            System.exit(2);
        }
        var client = new LegibleClient(
                arguments[0], System.getenv().getOrDefault("LEGIBLE_KEY", ""), 6, Duration.ofSeconds(60));
        var images = new ArrayList<byte[]>();
        for (int place = first; place < arguments.length; place++) {
            images.add(Files.readAllBytes(Path.of(arguments[place])));
        }
        if (arePages) {
            printPages(client, images, arguments[1].replaceFirst("--page=?", ""));
        } else {
            System.exit(printReadings(client, images) ? 0 : 1);
        }
    }

    private static void printPages(LegibleClient client, List<byte[]> images, String format)
            throws IOException, InterruptedException {
        for (byte[] image : images) {
            if (!format.isEmpty()) {
                System.out.writeBytes(client.readPageAs(format, image, Map.of()));
                continue;
            }
            for (Page page : client.readPage(image, Map.of()).pages()) {
                page.lines().forEach(line -> System.out.println(row(line.confidence(), line.text())));
            }
        }
    }

    private static boolean printReadings(LegibleClient client, List<byte[]> images)
            throws IOException, InterruptedException {
        boolean failed = false;
        for (Outcome one : client.readMany(images, 16, Map.of())) {
            failed |= one.error() != null;
            System.out.println(one.error() != null
                    ? "\t" + one.error().getMessage()
                    : row(one.reading().confidence(), one.reading().text()));
        }
        return !failed;
    }

    private static String row(double confidence, String text) {
        return String.format(java.util.Locale.ROOT, "%.3f\t%s", confidence, text);
    }
}
