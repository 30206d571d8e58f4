import NIOCore
import NIOPosix
import Synchronization

/// Says lines to an upsd and gives back what it answers, byte for byte: independent of the client
/// under test.
enum RawClient {
    /// One question: a line without its newline. The answer is whole: one line, or a list.
    typealias Say = (String) async throws -> String

    static func talk<Result: Sendable>(
        to port: Int, _ body: @Sendable (Say) async throws -> Result
    ) async throws -> Result {
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await client.executeThenClose { inbound, outbound in
            var iterator = inbound.makeAsyncIterator()
            return try await body { line in
                try await outbound.write(ByteBuffer(string: line + "\n"))
                var answer = ""
                while !isWhole(answer), let more = try await iterator.next(isolation: #isolation) {
                    answer += String(buffer: more)
                }
                return answer
            }
        }
    }

    private static func isWhole(_ answer: String) -> Bool {
        guard answer.hasSuffix("\n") else { return false }
        guard answer.hasPrefix("BEGIN") else { return true }
        return answer.dropLast().split(separator: "\n").last?.hasPrefix("END") == true
    }
}

/// A server that answers each line as a closure says: for what no real upsd can be made to do.
final class ScriptedServer: Sendable {
    private let heardLines = Mutex<[String]>([])
    private let accepted = Mutex<[any Channel]>([])
    private let listener = Mutex<(any Channel)?>(nil)

    /// Every line heard, over all connections.
    var heard: [String] { heardLines.withLock { $0 } }
    /// How many connections there were.
    var connections: Int { accepted.withLock { $0.count } }

    /// Starts one, runs `body` with its port, and stops it.
    static func run<Result>(
        answering answer: @escaping @Sendable (String) -> String?,
        _ body: (ScriptedServer, Int) async throws -> Result
    ) async throws -> Result {
        let server = ScriptedServer()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                server.accepted.withLock { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(server: server, answer: answer))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        server.listener.withLock { $0 = channel }
        do {
            let result = try await body(server, channel.localAddress?.port ?? 0)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    private func stop() async {
        let all = accepted.withLock { $0 } + [listener.withLock { $0 }].compactMap { $0 }
        for channel in all {
            channel.close(promise: nil)
            do { try await channel.closeFuture.get() } catch {}
        }
    }

    /// Closes every connection, as a restarted server does.
    func hangUp() async {
        for channel in accepted.withLock({ $0 }) {
            channel.close(promise: nil)
            do { try await channel.closeFuture.get() } catch {}
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        let server: ScriptedServer
        let answer: @Sendable (String) -> String?
        var held = ""

        init(server: ScriptedServer, answer: @escaping @Sendable (String) -> String?) {
            self.server = server
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            held += String(buffer: unwrapInboundIn(data))
            while let end = held.firstIndex(of: "\n") {
                let line = String(held[..<end])
                held.removeSubrange(...end)
                server.heardLines.withLock { $0.append(line) }
                if let reply = answer(line) {
                    context.writeAndFlush(
                        wrapOutboundOut(ByteBuffer(string: reply)), promise: nil)
                }
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

/// Counts calls of a closure.
final class Counter: Sendable {
    private let value = Mutex(0)
    var count: Int { value.withLock { $0 } }
    func next() -> Int {
        value.withLock {
            $0 += 1
            return $0
        }
    }
}
