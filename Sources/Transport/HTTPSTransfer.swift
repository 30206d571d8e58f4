internal import CLibCurl

/// One request on its way: the easy handle and what comes back. Lives on the engine's thread.
final class HTTPSTransfer {
    let ticket: UInt64
    let handle: UnsafeMutableRawPointer
    let completion: HTTPSEngine.Completion
    private let engine: HTTPSEngine
    private let request: HTTPSRequest
    private let pin: HTTPSPin?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var addressList: UnsafeMutablePointer<curl_slist>?
    private let message: UnsafeMutablePointer<CChar>
    private var headers: [HTTPSRequest.Header] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var tooLarge = false

    /// Headers beyond this are no vCenter's.
    private static let headerLimitBytes = 256 * 1024

    init(
        ticket: UInt64, request: HTTPSRequest, engine: HTTPSEngine, pin: HTTPSPin?,
        completion: @escaping HTTPSEngine.Completion
    ) throws(HTTPSError) {
        guard let handle = curl_easy_init() else {
            throw engine.error(.broken, "libcurl gave no handle: out of memory")
        }
        self.ticket = ticket
        self.handle = handle
        self.request = request
        self.engine = engine
        self.pin = pin
        self.completion = completion
        message = .allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        try setUp()
    }

    deinit {
        curl_easy_cleanup(handle)
        curl_slist_free_all(headerList)
        curl_slist_free_all(addressList)
        message.deallocate()
    }

    // MARK: Setting up

    private func setUp() throws(HTTPSError) {
        try set(CURLOPT_NOSIGNAL, 1)
        try check(vp_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, message))
        try setUpAddress()
        try setUpLimits()
        try setUpTrust()
        try setUpRequest()
        try setUpSinks()
    }

    private func setUpAddress() throws(HTTPSError) {
        let host = engine.endpoint.host
        guard !host.isEmpty, (1...65535).contains(engine.endpoint.port),
            host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && !"/@?#\\[]".utf8.contains($0) })
        else { throw engine.error(.unreachable, "this is no host name and port") }
        guard request.path.hasPrefix("/"), request.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else { throw engine.error(.broken, "the path must begin with / and be plain ASCII") }
        try set(CURLOPT_URL, "https://\(engine.endpoint)\(request.path)")
        try set(CURLOPT_PROTOCOLS_STR, "https")
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try setUpProxy()
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
        // Many calls over one connection, where the server can: worth one handshake's wait.
        try set(CURLOPT_PIPEWAIT, 1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        let known = engine.options.addresses?[host] ?? []
        if !known.isEmpty {
            let entry = "\(host):\(engine.endpoint.port):"
            try append(entry + known.joined(separator: ","), to: &addressList)
            try check(vp_curl_set_list(handle, CURLOPT_RESOLVE, addressList))
        }
    }

    private func setUpProxy() throws(HTTPSError) {
        guard let proxy = engine.options.proxy else {
            // An empty one overrules https_proxy of the environment: a shutdown goes there
            // directly.
            try set(CURLOPT_PROXY, "")
            return try set(CURLOPT_NOPROXY, "*")
        }
        try set(CURLOPT_PROXY, proxy)
        try set(CURLOPT_NOPROXY, "")
        // All that the proxy sees is where to.
        try set(CURLOPT_HTTPPROXYTUNNEL, 1)
    }

    private func setUpLimits() throws(HTTPSError) {
        try set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(engine.options.connectLimit))
        try set(CURLOPT_TIMEOUT_MS, Self.milliseconds(request.timeout))
        let stall = Self.milliseconds(request.stallLimit ?? engine.options.stallLimit)
        try set(CURLOPT_LOW_SPEED_LIMIT, 1)
        try set(CURLOPT_LOW_SPEED_TIME, (stall + 999) / 1000)
        let limit = curl_off_t(engine.options.bodyLimitBytes)
        try check(vp_curl_set_offset(handle, CURLOPT_MAXFILESIZE_LARGE, limit))
    }

    private func setUpTrust() throws(HTTPSError) {
        try set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        switch engine.trust {
        case .system:
            try set(CURLOPT_SSL_VERIFYHOST, 2)
        case .bundle(let path):
            try set(CURLOPT_SSL_VERIFYHOST, 2)
            try set(CURLOPT_CAINFO, path)
            // Without this the machine's own authorities would be trusted as well.
            try check(vp_curl_set_string(handle, CURLOPT_CAPATH, nil))
        case .pinned:
            guard let pin else {
                throw engine.error(
                    .certificateRefused,
                    "the pinned SHA-256 is not 64 hexadecimal digits in lower case")
            }
            // The pin verifies the whole certificate, so its name proves nothing more.
            try set(CURLOPT_SSL_VERIFYHOST, 0)
            try check(vp_curl_set_string(handle, CURLOPT_CAINFO, nil))
            try check(vp_curl_set_string(handle, CURLOPT_CAPATH, nil))
            try check(vp_curl_set_pin(handle, pin.pointer))
        }
    }

    private func setUpRequest() throws(HTTPSError) {
        try set(CURLOPT_USERAGENT, engine.options.userAgent)
        if let body = request.body {
            try set(CURLOPT_POST, 1)
            let size = curl_off_t(body.count)
            try check(vp_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, size))
            let code = body.withUnsafeBytes { bytes in
                vp_curl_set_bytes(handle, CURLOPT_COPYPOSTFIELDS, bytes.baseAddress ?? nil)
            }
            try check(code)
        }
        if request.method != (request.body == nil ? "GET" : "POST") {
            try set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        // A server that does not know "100-continue" would cost a second each time.
        try append("Expect:", to: &headerList)
        for header in request.headers {
            let line = "\(header.name): \(header.value)"
            guard !line.utf8.contains(where: { $0 < 0x20 }) else {
                throw engine.error(.broken, "the header \(header.name) contains a line break")
            }
            try append(line, to: &headerList)
        }
        try check(vp_curl_set_list(handle, CURLOPT_HTTPHEADER, headerList))
        if let cookies = request.cookies {
            guard let share = cookies.share else {
                throw engine.error(.broken, "libcurl gave no cookie jar: out of memory")
            }
            try check(vp_curl_set_pointer(handle, CURLOPT_SHARE, share))
            try set(CURLOPT_COOKIEFILE, "")
        }
    }

    private func setUpSinks() throws(HTTPSError) {
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(vp_curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        try check(
            vp_curl_set_sink(handle, CURLOPT_WRITEFUNCTION) { data, size, count, context in
                HTTPSTransfer.sink(data, size &* count, context) { $0.take(body: $1) }
            })
        try check(vp_curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        try check(
            vp_curl_set_sink(handle, CURLOPT_HEADERFUNCTION) { data, size, count, context in
                HTTPSTransfer.sink(data, size &* count, context) { $0.take(header: $1) }
            })
    }

    private func set(_ option: CURLoption, _ value: Int) throws(HTTPSError) {
        try check(vp_curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws(HTTPSError) {
        guard !value.utf8.contains(0) else {
            throw engine.error(.broken, "a setting contains a zero byte")
        }
        try check(vp_curl_set_string(handle, option, value))
    }

    private func check(_ code: CURLcode) throws(HTTPSError) {
        guard code == CURLE_OK else {
            throw engine.error(.broken, "libcurl: \(String(cString: curl_easy_strerror(code)))")
        }
    }

    private func append(
        _ line: String, to list: inout UnsafeMutablePointer<curl_slist>?
    ) throws(HTTPSError) {
        guard let longer = curl_slist_append(list, line) else {
            throw engine.error(.broken, "out of memory")
        }
        list = longer
    }

    /// At least 1: libcurl takes 0 for "no limit".
    private static func milliseconds(_ duration: Duration) -> Int {
        let parts = duration.components
        let (whole, overflow) = parts.seconds.multipliedReportingOverflow(by: 1000)
        // libcurl refuses more than this; it is 24 days.
        guard !overflow, whole < Int64(Int32.max) - 1000 else { return Int(Int32.max) - 1000 }
        return max(1, Int(whole + parts.attoseconds / 1_000_000_000_000_000))
    }

    // MARK: What comes back

    /// Gives the bytes to the transfer; anything but `count` makes libcurl end the transfer.
    private static func sink(
        _ data: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?,
        _ take: (HTTPSTransfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let context else { return 0 }
        let transfer = Unmanaged<HTTPSTransfer>.fromOpaque(context).takeUnretainedValue()
        let taken = take(transfer, UnsafeRawBufferPointer(start: data, count: count))
        return taken ? count : (count == 0 ? 1 : 0)
    }

    private func take(body bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= engine.options.bodyLimitBytes else {
            tooLarge = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    private func take(header bytes: UnsafeRawBufferPointer) -> Bool {
        headerBytes += bytes.count
        guard headerBytes <= Self.headerLimitBytes else {
            tooLarge = true
            return false
        }
        let line = String(decoding: bytes, as: UTF8.self)
        // A status line begins the headers anew: those of a "100 Continue" do not count.
        if line.hasPrefix("HTTP/") { headers = [] }
        if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...]
            headers.append(.init(String(line[..<colon]), Self.trimmed(value)))
        }
        return true
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0.isWhitespace }
        guard let last = start.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(start[...last])
    }

    /// Bytes sent and received so far, and connections opened for it.
    var moved: (out: Int, in: Int, connections: Int) {
        let out = long(CURLINFO_REQUEST_SIZE) + offset(CURLINFO_SIZE_UPLOAD_T)
        return (
            out, long(CURLINFO_HEADER_SIZE) + offset(CURLINFO_SIZE_DOWNLOAD_T),
            long(CURLINFO_NUM_CONNECTS)
        )
    }

    func result(_ code: CURLcode) -> Result<HTTPSResponse, HTTPSError> {
        guard code == CURLE_OK else { return .failure(engine.error(reason(code), detail(code))) }
        let status = long(CURLINFO_RESPONSE_CODE)
        return .success(HTTPSResponse(status: status, headers: headers, body: body))
    }

    private func reason(_ code: CURLcode) -> HTTPSError.Reason {
        if tooLarge { return .tooLarge }
        return switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_INVALIDCERTSTATUS:
            .certificateRefused
        // Neither a TCP connection of its own nor a byte on an older one: nobody was there.
        case CURLE_OPERATION_TIMEDOUT
        where offset(CURLINFO_CONNECT_TIME_T) == 0 && long(CURLINFO_REQUEST_SIZE) == 0:
            .unreachable
        case CURLE_OPERATION_TIMEDOUT: .timedOut
        case CURLE_FILESIZE_EXCEEDED: .tooLarge
        default: .broken
        }
    }

    private func detail(_ code: CURLcode) -> String {
        if tooLarge || code == CURLE_FILESIZE_EXCEEDED {
            return "the answer is larger than \(engine.options.bodyLimitBytes) bytes"
        }
        if code == CURLE_PEER_FAILED_VERIFICATION, let presented = pin?.presented {
            return "its certificate has SHA-256 \(presented), which is not the pinned one"
        }
        let said = String(cString: message)
        let text = said.isEmpty ? String(cString: curl_easy_strerror(code)) : said
        if code == CURLE_PEER_FAILED_VERIFICATION,
            Self.outOfDate.contains(long(CURLINFO_SSL_VERIFYRESULT))
        {
            return text + ". If the certificate is in date, this machine's clock is wrong: see "
                + "`date`. A pinned certificate (`sha256`) ignores dates"
        }
        return text
    }

    /// OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
    private static let outOfDate = [9, 10]

    private func long(_ info: CURLINFO) -> Int {
        var value = 0
        return vp_curl_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    private func offset(_ info: CURLINFO) -> Int {
        var value: curl_off_t = 0
        return vp_curl_get_offset(handle, info, &value) == CURLE_OK ? Int(value) : 0
    }
}
