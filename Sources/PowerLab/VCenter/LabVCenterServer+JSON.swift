import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// VI JSON: the same methods on the same model, in the other form (facts/vsphere.md 2.0.2).
extension LabVCenterServer {
    static let jsonPrefix = "/sdk/vim25/"
    static let sessionHeader = HTTPField.Name("vmware-api-session-id")

    /// Answers `/sdk/vim25/{release}/{type}/{id}/{method or property}`.
    func answerJSON(_ request: Request, on channel: any Channel) async -> Response {
        calls += 1
        let parts = request.uri.path.dropFirst(Self.jsonPrefix.count)
            .split(separator: "/", omittingEmptySubsequences: false)
            .map { String($0).removingPercentEncoding ?? "" }
        guard release.hasJSON, parts.count == 4 else { return text("", .notFound, "text/plain") }
        // A release that it does not know is answered so, without words of vim's (1.3).
        guard let version = release.jsonReleases.first(where: { $0.text == parts[0] }) else {
            return text("", .internalServerError, "text/plain")
        }
        let encoder = VimJSONEncoder(table: table, version: version)
        var login: String?
        do {
            let call = try await call(
                parts[3], on: VimReference(parts[1], parts[2]), request, version)
            let key = Self.sessionHeader.flatMap { request.headers[$0] }
            let result = try await execute(call, session: key, channel, &login)
            guard let result else { return Response(status: .noContent) }
            var answer = json(try encoder.text(result), .ok)
            if let login, let header = Self.sessionHeader { answer.headers[header] = login }
            return answer
        } catch {
            let fault = error as? VimFault ?? .invalidRequest("the body is too large")
            do { return json(try encoder.text(fault), .internalServerError) } catch {
                return text("", .internalServerError, "text/plain")
            }
        }
    }

    private func call(
        _ name: String, on receiver: VimReference, _ request: Request, _ version: VimVersion
    ) async throws -> VimCall {
        switch request.method {
        case .get:
            return VimCall(
                method: "Fetch", receiver: receiver, arguments: ["prop": .string(name)],
                version: version)
        case .post:
            guard request.headers[.contentType] == "application/json" else {
                throw VimFault.invalidRequest("the content type is not application/json")
            }
            let body = try await request.body.collect(upTo: Self.largestRequest)
            bytesIn += body.readableBytes
            return try VimJSONDecoder(table: table, version: version)
                .call(name, on: receiver, Array(body.readableBytesView))
        default: throw VimFault.invalidRequest("\(request.method) is not served")
        }
    }

    private func json(_ body: String, _ status: HTTPResponse.Status) -> Response {
        text(body, status, "application/json")
    }

    /// `POST /api/vcenter/system?action=hello`: the first of the client's releases that is served.
    func answerHello(_ request: Request) async -> Response {
        guard release.hasHello, request.method == .post,
            request.uri.queryParameters["action"] == "hello"
        else { return text("", .notFound, "text/plain") }
        do {
            let body = try await request.body.collect(upTo: Self.largestRequest)
            let members = try JSONDecoder().decode(
                [String: [String]].self, from: Data(body.readableBytesView))
            guard let wanted = members["api_releases"], (1...128).contains(wanted.count) else {
                return text("", .badRequest, "text/plain")
            }
            let served = Set(release.jsonReleases.map(\.text))
            let chosen = wanted.first(where: served.contains) ?? ""
            return json("{\"api_release\":\"\(chosen)\"}", .ok)
        } catch { return text("", .badRequest, "text/plain") }
    }
}
