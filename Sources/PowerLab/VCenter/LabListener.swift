import Glibc
import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTPS server on one port of 127.0.0.1 that can be closed and opened again there, so that
/// connections are refused while the machine it stands for is off.
actor LabListener {
    typealias Answer = @Sendable (Request, any Channel) async -> Response

    /// The port, kept for as long as this listener lives.
    nonisolated let port: Int
    private let reservation: CInt
    private let tls: TLSConfiguration
    private let answer: Answer
    private let connections = LabConnections()
    private var running: Run?

    /// One time of listening.
    private struct Run {
        let task: Task<Void, any Error>
        let server: any Channel
        let connections: LabConnections
    }

    /// Takes a free port.
    init(certificate: LabCertificate, answer: @escaping Answer) throws {
        (reservation, port) = try LabListener.reservePort()
        self.answer = answer
        tls = .makeServerConfiguration(
            certificateChain: try NIOSSLCertificate.fromPEMFile(certificate.certificatePEMPath)
                .map { .certificate($0) },
            privateKey: .privateKey(
                try NIOSSLPrivateKey(file: certificate.keyPEMPath, format: .pem)))
    }

    deinit { Glibc.close(reservation) }

    /// Listens, if it does not yet.
    func open() async throws {
        guard running == nil else { return }
        let connections = LabConnections()
        let (started, signal) = AsyncStream<any Channel>.makeStream()
        let application = try makeApplication(connections) { signal.yield($0) }
        let task = Task {
            defer { signal.finish() }
            try await application.run()
        }
        for await server in started {
            running = Run(task: task, server: server, connections: connections)
            return
        }
        // It ended without having started: hand on why.
        try await task.value
    }

    /// Refuses connections from now on and breaks those there are.
    ///
    /// It closes the socket rather than cancel the server: a cancelled one drops connections it
    /// has accepted and not yet handled, which NIO takes for a mistake and stops the process.
    func close() async {
        guard let run = running else { return }
        running = nil
        run.server.close(promise: nil)
        run.connections.breakAll(andLater: true)
        _ = await run.task.result
    }

    /// Breaks the connections there are; for use inside an answer, which `close` would wait for.
    func breakConnections() { running?.connections.breakAll(andLater: false) }

    private func makeApplication(
        _ connections: LabConnections, started: @escaping @Sendable (any Channel) -> Void
    ) throws -> Application<CallbackResponder<LabRequestContext>> {
        let (tls, answer) = (tls, answer)
        return Application(
            responder: CallbackResponder { request, context in
                await answer(request, context.channel)
            },
            server: try .tls(
                .http1(
                    configuration: .init(
                        additionalChannelHandlers: [LabConnectionNote(connections)])),
                tlsConfiguration: tls),
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: port), serverName: "envoy"),
            onServerRunning: { started($0) },
            // One loop for all: a connection is then never half accepted when the socket closes.
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton.next()),
            logger: Logger(label: "lab.vcenter") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Binds a port without listening on it: connections are refused, and nobody else gets it.
    /// The server binds it as well, which SO_REUSEADDR allows as long as only one listens.
    private static func reservePort() throws -> (CInt, Int) {
        let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw failure("make a socket") }
        var on: CInt = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else {
            let error = failure("take a port")
            Glibc.close(descriptor)
            throw error
        }
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    private static func failure(_ attempting: String) -> LabVCenterError {
        LabVCenterError(attempting: attempting, detail: String(cString: strerror(errno)))
    }
}

/// The connections that are open now.
final class LabConnections: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())

    func add(_ channel: any Channel) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.channels[ObjectIdentifier(channel)] = channel }
            return state.isClosed
        }
        if isClosed { return channel.close(promise: nil) }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.state.withLock { _ = $0.channels.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    /// Breaks those there are and, if told so, those that are still to come.
    func breakAll(andLater isClosed: Bool) {
        let channels = state.withLock { state in
            state.isClosed = state.isClosed || isClosed
            return Array(state.channels.values)
        }
        for channel in channels { LabConnections.cut(channel) }
    }

    /// Ends a connection as a power cut does: without TLS's good-bye, whose answer would be waited
    /// for.
    private static func cut(_ channel: any Channel) {
        channel.eventLoop.execute {
            do {
                try channel.pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self)
                    .close(promise: nil)
            } catch {
                // It has no TLS any more, or not yet.
                channel.close(promise: nil)
            }
        }
    }
}

/// Makes a connection known to `LabConnections`, from before its TLS handshake on.
private final class LabConnectionNote: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = Any
    private let connections: LabConnections

    init(_ connections: LabConnections) { self.connections = connections }

    func handlerAdded(context: ChannelHandlerContext) {
        let (channel, connections) = (context.channel, connections)
        // After the pipeline is complete, so that a connection is never closed half made.
        context.eventLoop.execute { connections.add(channel) }
    }
}

/// What a request brings along: its connection, so that a wait can end with it.
struct LabRequestContext: InitializableFromSource, Sendable {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}
