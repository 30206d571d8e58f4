import NIOCore
import PowerRun

/// Matches upsd's lines with the questions asked, first in, first out, on one event loop.
final class UPSDReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// One question that is not answered yet.
    private struct Question {
        var number: UInt64
        var shape: UPSDRequest.Shape
        var promise: EventLoopPromise<[UPSDLine]>
        var lines: [UPSDLine] = []
        var alarm: Scheduled<Void>
    }

    static let closed = UPSDFault(reason: .unreachable, detail: "upsd closed the connection")

    private let traffic: UPSDTrafficCounter
    private var splitter = UPSDLineSplitter()
    private var questions: [Question] = []
    private var asked: UInt64 = 0
    private var context: ChannelHandlerContext?
    /// Set once, at the end: what every later question is answered with.
    private var fault: UPSDFault?
    private var isEnteringTLS = false

    init(_ traffic: UPSDTrafficCounter) { self.traffic = traffic }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(with: Self.closed)
        self.context = nil
    }

    // MARK: Asking

    /// Sends a request. The future has all lines of the answer, or an `UPSDFault`.
    func ask(_ request: UPSDRequest, due: NIODeadline) -> EventLoopFuture<[UPSDLine]> {
        guard let context else { preconditionFailure("asked outside of the pipeline") }
        if let fault { return context.eventLoop.makeFailedFuture(fault) }
        let promise = context.eventLoop.makePromise(of: [UPSDLine].self)
        asked += 1
        let number = asked
        let alarm = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) {
            self.ring(for: number)
        }
        questions.append(
            Question(number: number, shape: request.shape, promise: promise, alarm: alarm))
        let buffer = context.channel.allocator.buffer(string: request.line + "\n")
        traffic.sent(bytes: buffer.readableBytes)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        return promise.futureResult
    }

    private func ring(for number: UInt64) {
        guard questions.contains(where: { $0.number == number }) else { return }
        end(with: UPSDFault(reason: .timedOut, detail: "upsd does not answer in time"))
    }

    // MARK: TLS

    /// From here on a failure is a failure of TLS. Anything upsd sent in clear text behind its
    /// `OK STARTTLS` could be a stranger's: it ends the connection.
    func enterTLS() throws(UPSDFault) {
        if let fault { throw fault }
        guard splitter.pendingBytes == 0 else {
            throw UPSDFault(reason: .tlsRefused, detail: "upsd sent clear text before TLS began")
        }
        isEnteringTLS = true
    }

    /// TLS stands: from here on a failure is a failure of the connection.
    func leaveTLSEntry() { isEnteringTLS = false }

    // MARK: Events of the channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        traffic.received(bytes: buffer.readableBytes)
        for line in splitter.take(buffer.readableBytesView) where fault == nil {
            take(UPSDLine(line))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(
            with: isEnteringTLS
                ? UPSDFault(
                    reason: .tlsRefused, detail: "upsd closed the connection in the TLS handshake")
                : Self.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(
            with: isEnteringTLS
                ? UPSDFault(reason: .tlsRefused, detail: "TLS failed: \(error)")
                : UPSDFault(reason: .unreachable, detail: "the connection broke: \(error)"))
    }

    private func take(_ line: UPSDLine) {
        guard !questions.isEmpty else {
            end(with: UPSDFault(reason: .badAnswer, detail: "upsd said something unasked"))
            return
        }
        questions[0].lines.append(line)
        if questions[0].shape == .list, !endsList(line) {
            if questions[0].lines.count > UPSDLimits.listLinesMax {
                end(with: UPSDFault(reason: .badAnswer, detail: "upsd's list does not end"))
            }
            return
        }
        let question = questions.removeFirst()
        question.alarm.cancel()
        question.promise.succeed(question.lines)
    }

    private func endsList(_ line: UPSDLine) -> Bool {
        switch UPSDReply(line) {
        case .frame(let begins): !begins
        case .refusal: true
        default: false
        }
    }

    /// Fails every question and closes. Only the first call's fault counts.
    private func end(with fault: UPSDFault) {
        guard self.fault == nil else { return }
        self.fault = fault
        let unanswered = questions
        questions = []
        for question in unanswered {
            question.alarm.cancel()
            question.promise.fail(fault)
        }
        context?.close(promise: nil)
    }
}
