import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads Rapport's customers from the start of their topic to its end and prints one JSON line for each
 * live one, in the order of their ids. Written from README and services/customers/asyncapi.yaml alone.
 *
 * <pre>java -cp '&lt;jars of kafka-clients and Jackson&gt;/*' Reader.java 127.0.0.1:9092 [crm.customers]</pre>
 */
public final class Reader {
    static final String TOPIC = "crm.customers";
    static final String RESERVED_KEY = "rapport.compaction-tick";
    static final Set<String> KNOWN_TYPES = Set.of(
            "crm.customer.created.v1",
            "crm.customer.updated.v1",
            "crm.customer.manager_changed.v1",
            "crm.customer.viewers_changed.v1",
            "crm.customer.relationship_changed.v1",
            "crm.customer.deleted.v1",
            "crm.customer.restored.v1",
            "crm.customer.erased.v1");
    static final Duration POLL = Duration.ofMillis(500);
    static final Duration LONGEST_SILENCE = Duration.ofSeconds(30);

    private final ObjectMapper json = new ObjectMapper();
    private final Map<String, Held> copy = new TreeMap<>();

    /** A customer as we hold it: the version decides whether a record is news. */
    record Held(long version, JsonNode state) {}

    public static void main(String[] arguments) throws IOException {
        if (arguments.length < 1 || arguments.length > 2) {
            System.err.println("usage: Reader <bootstrap servers> [topic]");
            System.exit(2);
        }
        var reader = new Reader();
        try (Consumer<String, byte[]> consumer = new KafkaConsumer<>(settings(arguments[0]))) {
            reader.readToTheEnd(consumer, arguments.length == 2 ? arguments[1] : TOPIC);
        }
        reader.print();
    }

    private static Map<String, Object> settings(String servers) {
        return Map.of(
                ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, servers,
                ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class,
                ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class,
                // Nothing is committed: every run builds the copy anew.
                ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false,
                ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
    }

    /** The end is where each partition ended when we began: a busy topic has no other. */
    private void readToTheEnd(Consumer<String, byte[]> consumer, String topic) {
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(partition.topic(), partition.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        var heardAt = System.nanoTime();
        while (partitions.stream().anyMatch(partition -> consumer.position(partition) < ends.get(partition))) {
            var records = consumer.poll(POLL);
            if (!records.isEmpty()) {
                heardAt = System.nanoTime();
            } else if (System.nanoTime() - heardAt > LONGEST_SILENCE.toNanos()) {
                throw new IllegalStateException("the broker has said nothing for " + LONGEST_SILENCE);
            }
            records.forEach(this::take);
        }
    }

    private void take(ConsumerRecord<String, byte[]> record) {
        if (record.key() == null || record.key().equals(RESERVED_KEY)) {
            return;
        }
        if (record.value() == null) {
            copy.remove(record.key());
            return;
        }
        if (!KNOWN_TYPES.contains(header(record, "ce_type"))) {
            return;
        }
        JsonNode body;
        try {
            body = json.readTree(record.value());
        } catch (IOException error) {
            System.err.println("not JSON: " + record.topic() + "/" + record.partition() + " at " + record.offset());
            return;
        }
        remember(record.key(), body.path("version").asLong(), body.path("state"));
    }

    private void remember(String key, long version, JsonNode state) {
        var held = copy.get(key);
        if (held != null && version < held.version()) {
            return;
        }
        if (state.path("state").asText().equals("erased")) {
            copy.remove(key);
        } else {
            copy.put(key, new Held(version, state));
        }
    }

    private static String header(ConsumerRecord<?, ?> record, String name) {
        Header header = record.headers().lastHeader(name);
        return header == null || header.value() == null ? "" : new String(header.value(), StandardCharsets.UTF_8);
    }

    private void print() throws IOException {
        var out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (Held held : copy.values()) {
            if (held.state().path("state").asText().equals("active")) {
                ObjectNode line = json.createObjectNode();
                line.put("version", held.version());
                line.set("state", held.state());
                out.println(json.writeValueAsString(line));
            }
        }
        out.flush();
    }
}
