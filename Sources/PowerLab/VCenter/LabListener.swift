import Glibc
import Hummingbird
import HummingbirdCore
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
    private var running: Task<Void, any Error>?

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
        let (started, signal) = AsyncStream<Void>.makeStream()
        let application = makeApplication { signal.yield() }
        let task = Task {
            defer { signal.finish() }
            try await application.run()
        }
        running = task
        for await _ in started { return }
        // It ended without having started: hand on why.
        running = nil
        try await task.value
    }

    /// Refuses connections from now on and breaks those there are.
    func close() async {
        guard let task = running else { return }
        running = nil
        task.cancel()
        connections.breakAll()
        _ = await task.result
    }

    /// Breaks the connections there are; for use inside an answer, which `close` would wait for.
    nonisolated func breakConnections() { connections.breakAll() }

    private func makeApplication(
        started: @escaping @Sendable () -> Void
    ) -> Application<CallbackResponder<LabRequestContext>> {
        let (tls, answer, connections) = (tls, answer, connections)
        return Application(
            responder: CallbackResponder { request, context in
                await answer(request, context.channel)
            },
            server: HTTPServerBuilder { responder in
                LabChannel(
                    base: try TLSChannel(
                        HTTP1Channel(responder: responder), tlsConfiguration: tls),
                    connections: connections)
            },
            configuration: ApplicationConfiguration(
                address: .hostname("127.0.0.1", port: port), serverName: "envoy"),
            onServerRunning: { _ in started() },
            logger: Logger(label: "lab.vcenter") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Binds a port without listening on it: connections are refused, and nobody else gets it.
    /// The server binds it as well, which SO_REUSEADDR allows as long as only one listens.
    private static func reservePort() throws -> (CInt, Int) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
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
    private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

    func add(_ channel: any Channel) {
        channels.withLock { $0[ObjectIdentifier(channel)] = channel }
        channel.closeFuture.whenComplete { [weak self] _ in
            self?.channels.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(channel)) }
        }
    }

    func breakAll() {
        for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
    }
}

/// A connection that is known to `LabConnections` from before its TLS handshake on.
private struct LabChannel<Base: ServerChildChannel>: ServerChildChannel {
    let base: Base
    let connections: LabConnections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        connections.add(channel)
        return base.setup(channel: channel, logger: logger)
    }

    func handle(value: Base.Value, logger: Logger) async {
        await base.handle(value: value, logger: logger)
    }
}

/// What a request brings along: its connection, so that a wait can end with it.
struct LabRequestContext: InitializableFromSource, Sendable {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}
