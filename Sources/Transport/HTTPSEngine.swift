internal import CLibCurl
import Glibc
import Synchronization

/// The thread behind a client: one libcurl multi handle, and the transfers on it.
///
/// Everything of libcurl's is touched by that thread alone, but for `curl_multi_wakeup`, which is
/// made for other threads. It ends when the client is gone.
final class HTTPSEngine: Sendable {
    typealias Completion = @Sendable (Result<HTTPSResponse, HTTPSError>) -> Void

    private enum Command {
        case start(ticket: UInt64, HTTPSRequest, Completion)
        case cancel(ticket: UInt64)
    }

    private struct State {
        var commands: [Command] = []
        var lastTicket: UInt64 = 0
        /// Tickets whose request has no result yet, submitted or not.
        var open: Set<UInt64> = []
        var threadStarted = false
        var stopping = false
        var counters = HTTPSCounters()
        var presentedSHA256: String?
    }

    let endpoint: HTTPSEndpoint
    let trust: HTTPSTrust
    let options: HTTPSOptions
    private let state = Mutex(State())
    /// Only the thread uses these, and whoever creates and destroys the engine.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer?
    nonisolated(unsafe) private let pin: HTTPSPin?

    /// With nothing to do the thread sleeps; a wake-up ends it. Only a bound for the unexpected.
    private static let idleMilliseconds: Int32 = 60_000

    private static let library: CURLcode = {
        CryptoLibrary.prepare()
        return vp_curl_global_init()
    }()

    /// Once per process; never undone, since libssh2 shares what libcurl sets up.
    static func initializeLibrary() { _ = library }

    init(endpoint: HTTPSEndpoint, trust: HTTPSTrust, options: HTTPSOptions) {
        Self.initializeLibrary()
        self.endpoint = endpoint
        self.trust = trust
        self.options = options
        multi = curl_multi_init()
        pin = if case .pinned(let sha256) = trust { HTTPSPin(sha256: sha256) } else { nil }
    }

    deinit {
        if let multi { _ = curl_multi_cleanup(multi) }
        withExtendedLifetime(pin) {}
    }

    var counters: HTTPSCounters { state.withLock { $0.counters } }
    var presentedSHA256: String? { state.withLock { $0.presentedSHA256 } }

    func newTicket() -> UInt64 {
        state.withLock { state in
            state.lastTicket += 1
            state.open.insert(state.lastTicket)
            return state.lastTicket
        }
    }

    func submit(_ request: HTTPSRequest, ticket: UInt64, completion: @escaping Completion) {
        guard multi != nil else {
            state.withLock { _ = $0.open.remove(ticket) }
            return completion(.failure(error(.broken, "libcurl gave no handle: out of memory")))
        }
        let startThread = state.withLock { state in
            state.commands.append(.start(ticket: ticket, request, completion))
            defer { state.threadStarted = true }
            return !state.threadStarted
        }
        if startThread, !startOwnThread() {
            let waiting = state.withLock { state in
                defer { state.commands = [] }
                state.threadStarted = false
                state.open.remove(ticket)
                return state.commands
            }
            for case .start(_, _, let completion) in waiting {
                completion(.failure(error(.broken, "no thread could be started")))
            }
        }
        wake()
    }

    func cancel(_ ticket: UInt64) {
        state.withLock { $0.commands.append(.cancel(ticket: ticket)) }
        wake()
    }

    func stop() {
        state.withLock { $0.stopping = true }
        wake()
    }

    func error(_ reason: HTTPSError.Reason, _ detail: String) -> HTTPSError {
        HTTPSError(endpoint: endpoint.description, reason: reason, detail: detail)
    }

    private func wake() {
        if let multi { _ = curl_multi_wakeup(multi) }
    }

    private func startOwnThread() -> Bool {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let failed = pthread_create(
            &thread, nil,
            { context in
                if let context {
                    Unmanaged<HTTPSEngine>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, context.toOpaque())
        guard failed == 0 else {
            context.release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    // MARK: On the thread

    /// What the thread knows of requests.
    private struct Work {
        let multi: UnsafeMutableRawPointer
        var transfers: [UInt64: HTTPSTransfer] = [:]
        /// Those for which there is no room yet, in order.
        var waiting: [(ticket: UInt64, request: HTTPSRequest, completion: Completion)] = []
        /// A task that was cancelled before it began cancels first and submits then.
        var cancelledEarly: Set<UInt64> = []
    }

    private func run() {
        guard let multi else { return }
        var work = Work(multi: multi)
        while true {
            let (commands, stopping) = state.withLock { state in
                defer { state.commands = [] }
                return (state.commands, state.stopping)
            }
            for command in commands { obey(command, &work) }
            if stopping { break }
            startWaiting(&work)
            var running: Int32 = 0
            _ = curl_multi_perform(multi, &running)
            // What has ended makes room: no sleep before it is used.
            if finishDone(&work), !work.waiting.isEmpty { continue }
            _ = curl_multi_poll(multi, nil, 0, Self.idleMilliseconds, nil)
        }
        for transfer in work.transfers.values {
            finish(transfer, multi: multi, .failure(error(.broken, "the client was closed")))
        }
        for (ticket, _, completion) in work.waiting {
            refuse(ticket, completion, error(.broken, "the client was closed"))
        }
    }

    private func obey(_ command: Command, _ work: inout Work) {
        switch command {
        case .start(let ticket, let request, let completion):
            guard work.cancelledEarly.remove(ticket) == nil else {
                return refuse(ticket, completion, error(.broken, "cancelled"))
            }
            work.waiting.append((ticket, request, completion))
        case .cancel(let ticket):
            if let transfer = work.transfers.removeValue(forKey: ticket) {
                finish(transfer, multi: work.multi, .failure(error(.broken, "cancelled")))
            } else if let place = work.waiting.firstIndex(where: { $0.ticket == ticket }) {
                let (_, _, completion) = work.waiting.remove(at: place)
                refuse(ticket, completion, error(.broken, "cancelled"))
            } else if state.withLock({ $0.open.contains(ticket) }) {
                work.cancelledEarly.insert(ticket)
            }
        }
    }

    /// Starts as many as there is room for. A request's own limits begin here, so that what waits
    /// behind a slow server is not given up for its place in the queue.
    private func startWaiting(_ work: inout Work) {
        let room = max(1, options.requestsAtOnce) - work.transfers.count
        let next = work.waiting.prefix(max(0, room))
        work.waiting.removeFirst(next.count)
        for (ticket, request, completion) in next {
            state.withLock { $0.counters.calls += 1 }
            do throws(HTTPSError) {
                let transfer = try HTTPSTransfer(
                    ticket: ticket, request: request, engine: self, pin: pin,
                    completion: completion)
                guard curl_multi_add_handle(work.multi, transfer.handle) == CURLM_OK else {
                    throw error(.broken, "libcurl does not take the request")
                }
                work.transfers[ticket] = transfer
            } catch {
                refuse(ticket, completion, error)
            }
        }
    }

    private func refuse(_ ticket: UInt64, _ completion: Completion, _ error: HTTPSError) {
        state.withLock { _ = $0.open.remove(ticket) }
        completion(.failure(error))
    }

    /// Hands over what has ended; whether anything has.
    private func finishDone(_ work: inout Work) -> Bool {
        var left: Int32 = 0
        var anything = false
        while let message = curl_multi_info_read(work.multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let done = work.transfers.first(where: { $0.value.handle == handle })
            else { continue }
            let code = message.pointee.data.result
            work.transfers[done.key] = nil
            finish(done.value, multi: work.multi, done.value.result(code))
            anything = true
        }
        return anything
    }

    private func finish(
        _ transfer: HTTPSTransfer, multi: UnsafeMutableRawPointer,
        _ result: Result<HTTPSResponse, HTTPSError>
    ) {
        let moved = transfer.moved
        _ = curl_multi_remove_handle(multi, transfer.handle)
        state.withLock { state in
            state.counters.bytesOut += moved.out
            state.counters.bytesIn += moved.in
            state.counters.connections += moved.connections
            state.presentedSHA256 = pin?.presented
            state.open.remove(transfer.ticket)
        }
        transfer.completion(result)
    }
}
