import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.MultiThreadIoEventLoopGroup;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollDomainSocketChannel;
import io.grpc.netty.shaded.io.netty.channel.epoll.EpollIoHandler;
import io.grpc.netty.shaded.io.netty.channel.unix.DomainSocketAddress;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** What every client does once, with grpc-java; see exercises.py. Arguments are `name=value`. */
public final class Exercises {
    private static final long WAIT_S_MAX = 20;
    private static final int MESSAGE_BYTES_MAX = 16 << 20;

    private final Map<String, String> asked;
    private final ManagedChannel channel;
    private final PrintStream out = new PrintStream(System.out, true, UTF_8);

    private Exercises(Map<String, String> asked, ManagedChannel channel) {
        this.asked = asked;
        this.channel = channel;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> asked = new HashMap<>();
        for (String argument : arguments) {
            int at = argument.indexOf('=');
            asked.put(argument.substring(0, at), argument.substring(at + 1));
        }
        ManagedChannel channel = open(asked);
        try {
            new Exercises(asked, channel).all();
        } finally {
            channel.shutdownNow().awaitTermination(WAIT_S_MAX, TimeUnit.SECONDS);
        }
        System.exit(0);
    }

    private static ManagedChannel open(Map<String, String> asked) throws IOException {
        String target = asked.get("target");
        NettyChannelBuilder builder;
        if (target.startsWith("unix:")) {
            builder = NettyChannelBuilder.forAddress(
                            new DomainSocketAddress(target.substring("unix:".length())),
                            InsecureChannelCredentials.create())
                    .eventLoopGroup(new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory()))
                    .channelType(EpollDomainSocketChannel.class);
        } else {
            builder = NettyChannelBuilder.forTarget(target, credentials(asked));
        }
        return builder.overrideAuthority("localhost").maxInboundMessageSize(MESSAGE_BYTES_MAX).build();
    }

    private static ChannelCredentials credentials(Map<String, String> asked) throws IOException {
        if (!asked.containsKey("ca")) {
            return InsecureChannelCredentials.create();
        }
        TlsChannelCredentials.Builder builder = TlsChannelCredentials.newBuilder().trustManager(new File(asked.get("ca")));
        if (asked.containsKey("cert")) {
            builder.keyManager(new File(asked.get("cert")), new File(asked.get("key")));
        }
        return builder.build();
    }

    private void all() throws Exception {
        unary();
        clientStream();
        serverStream();
        bidi();
        large();
        error();
        deadline();
        cancel();
    }

    private void unary() {
        AtomicReference<Metadata> headers = new AtomicReference<>();
        AtomicReference<Metadata> trailers = new AtomicReference<>();
        var call = ClientInterceptors.intercept(
                        channel,
                        MetadataUtils.newAttachHeadersInterceptor(metadata("unary")),
                        MetadataUtils.newCaptureMetadataInterceptor(headers, trailers))
                .newCall(method("Unary", MethodDescriptor.MethodType.UNARY), options());
        tell("unary", text(ClientCalls.blockingUnaryCall(call, "hello".getBytes(UTF_8))));
        tell("unary.initial", headers.get().get(ascii("initial")));
        tell("unary.trailing", HexFormat.of().formatHex(trailers.get().get(binary("trailing-bin"))));
    }

    private void clientStream() throws Exception {
        Answers answers = new Answers();
        var requests = ClientCalls.asyncClientStreamingCall(
                call("ClientStream", MethodDescriptor.MethodType.CLIENT_STREAMING, "client_stream"), answers);
        for (String word : List.of("a", "b", "c")) {
            requests.onNext(word.getBytes(UTF_8));
        }
        requests.onCompleted();
        tell("client_stream", answers.next());
    }

    private void serverStream() {
        Iterator<byte[]> responses = ClientCalls.blockingServerStreamingCall(
                call("ServerStream", MethodDescriptor.MethodType.SERVER_STREAMING, "server_stream"),
                "x".getBytes(UTF_8));
        List<String> words = new ArrayList<>();
        responses.forEachRemaining(message -> words.add(text(message)));
        tell("server_stream", String.join(",", words));
    }

    private void bidi() throws Exception {
        Answers answers = new Answers();
        var requests = ClientCalls.asyncBidiStreamingCall(
                call("Bidi", MethodDescriptor.MethodType.BIDI_STREAMING, "bidi"), answers);
        List<String> words = new ArrayList<>();
        for (String word : List.of("one", "two", "three")) {
            requests.onNext(word.getBytes(UTF_8));
            words.add(answers.next());
        }
        requests.onCompleted();
        tell("bidi", String.join(",", words) + "," + answers.next());
    }

    private void large() {
        byte[] sent = new byte[Integer.parseInt(asked.get("large"))];
        for (int i = 0; i < sent.length; i++) {
            sent[i] = (byte) (i * 7);
        }
        byte[] got = ClientCalls.blockingUnaryCall(call("Unary", MethodDescriptor.MethodType.UNARY, "large"), sent);
        tell("large", java.util.Arrays.equals(sent, got) ? "same" : "other");
    }

    private void error() {
        try {
            ClientCalls.blockingUnaryCall(call("Unary", MethodDescriptor.MethodType.UNARY, "error"), new byte[1]);
        } catch (StatusRuntimeException error) {
            tell("error", String.valueOf(error.getStatus().getCode().value()));
            tell("error.details", error.getStatus().getDescription());
            byte[] details = error.getTrailers().get(binary("grpc-status-details-bin"));
            tell("error.status", details == null ? "none" : HexFormat.of().formatHex(details));
        }
    }

    private void deadline() {
        var options = CallOptions.DEFAULT.withDeadlineAfter(Long.parseLong(asked.get("deadline_ms")), TimeUnit.MILLISECONDS);
        try {
            ClientCalls.blockingUnaryCall(
                    withMetadata("deadline").newCall(method("Unary", MethodDescriptor.MethodType.UNARY), options),
                    new byte[1]);
        } catch (StatusRuntimeException error) {
            tell("deadline", String.valueOf(error.getStatus().getCode().value()));
        }
    }

    private void cancel() throws Exception {
        Answers answers = new Answers();
        ClientCall<byte[], byte[]> call = call("Bidi", MethodDescriptor.MethodType.BIDI_STREAMING, "cancel");
        StreamObserver<byte[]> requests = ClientCalls.asyncBidiStreamingCall(call, answers);
        requests.onNext("one".getBytes(UTF_8));
        answers.next();
        call.cancel("as asked", null);
        tell("cancel", answers.next());
    }

    private ClientCall<byte[], byte[]> call(String name, MethodDescriptor.MethodType type, String exercise) {
        return withMetadata(exercise).newCall(method(name, type), options());
    }

    private io.grpc.Channel withMetadata(String exercise) {
        return ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(metadata(exercise)));
    }

    private Metadata metadata(String exercise) {
        Metadata metadata = new Metadata();
        metadata.put(ascii("mm-model-id"), asked.get("model"));
        metadata.put(ascii("echo-call"), asked.get("run") + exercise);
        String plan = asked.get("plan." + exercise);
        if (plan != null) {
            metadata.put(ascii("echo-plan"), plan);
        }
        return metadata;
    }

    private static CallOptions options() {
        return CallOptions.DEFAULT.withDeadlineAfter(WAIT_S_MAX, TimeUnit.SECONDS);
    }

    private void tell(String what, String value) {
        out.println(what + "=" + value);
    }

    private static String text(byte[] message) {
        return new String(message, UTF_8);
    }

    private static Metadata.Key<String> ascii(String name) {
        return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    }

    private static Metadata.Key<byte[]> binary(String name) {
        return Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
    }

    private static MethodDescriptor<byte[], byte[]> method(String name, MethodDescriptor.MethodType type) {
        return MethodDescriptor.<byte[], byte[]>newBuilder()
                .setType(type)
                .setFullMethodName("test.Echo/" + name)
                .setRequestMarshaller(new Bytes())
                .setResponseMarshaller(new Bytes())
                .build();
    }

    /** Messages as they are. */
    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException error) {
                throw Status.INTERNAL.withCause(error).asRuntimeException();
            }
        }
    }

    /** The responses of a call in their order, then the number of its status. */
    private static final class Answers implements StreamObserver<byte[]> {
        private final BlockingQueue<String> told = new LinkedBlockingQueue<>();

        @Override
        public void onNext(byte[] message) {
            told.add(text(message));
        }

        @Override
        public void onError(Throwable error) {
            told.add(String.valueOf(Status.fromThrowable(error).getCode().value()));
        }

        @Override
        public void onCompleted() {
            told.add("0");
        }

        String next() throws InterruptedException {
            return told.poll(WAIT_S_MAX, TimeUnit.SECONDS);
        }
    }
}
