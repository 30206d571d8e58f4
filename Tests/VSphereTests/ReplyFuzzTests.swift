import Foundation
import PowerLab
import PowerModel
import Testing

@testable import Transport
@testable import VSphere

/// What a vCenter, or whoever stands in its place, may send: nothing of it may bring vpower down.
@Suite struct ReplyFuzzTests {
    /// Bodies of the normal suite; `VPOWER_BODIES` asks for another number.
    private static let usualCount = 4000
    /// Reading one takes no longer, on a machine that is busy with other things too.
    private static let limit: Duration = .seconds(5)
    /// Bodies grow no larger than this, so that a sweep ends.
    private static let longest = 64 * 1024
    /// What may be held after a sweep, however long: what was read is let go of.
    private static let growthMiB = 50

    private static var count: Int {
        ProcessInfo.processInfo.environment["VPOWER_BODIES"].flatMap { Int($0) } ?? usualCount
    }

    @Test func `random and mutated replies are read or refused, in bounded time`() throws {
        var maker = BodyMaker(
            samples: [
                Recorded.versions, Recorded.content, Recorded.login, Recorded.view,
                Recorded.page(Array(Recorded.objects[0..<4])),
                Recorded.page(Array(Recorded.objects[6..<9]), token: "t"),
                Recorded.page([Recorded.objects[0], Recorded.objects[2], Recorded.objects[12]]),
                Recorded.fault("InvalidPowerState", "<existingState>poweredOff</existingState>"),
                Recorded.fault("NoPermission", "<object type=\"Folder\">group-d1</object>"),
            ],
            words: [
                "<", ">", "</", "/>", "&", "&amp;", "&#x0;", "&#x10FFFF;", "<![CDATA[", "]]>",
                "<!--", "<!DOCTYPE x>", "<?x?>", "<?xml", "?>", "xmlns=\"\"", "xmlns:a=\"b\"",
                "xsi:type=\"a:b\"",
                "\u{0}", "\u{FEFF}", "true", "-1", "99999999999999999999", "<a>", "</a>", "\"", "'",
            ], longest: Self.longest)
        let tally = try sweep(&maker, read: SOAPReading.init)
        // Both happen, or the sweep looks at one side only.
        #expect(tally.read > Self.count / 100, "\(tally)")
        #expect(tally.refused > Self.count / 100, "\(tally)")
    }

    @Test func `random and mutated JSON is read or refused, in bounded time`() throws {
        var maker = BodyMaker(
            samples: [
                #"{"name":"gold","category_id":"urn:c:1","description":"x","used_by":[]}"#,
                #"{"value":{"name":"gold","category_id":"urn:c:1"}}"#,
                #"[{"object_id":{"id":"vm-1","type":"VirtualMachine"},"tag_ids":["urn:t:1"]}]"#,
                #"{"value":[{"object_id":{"id":"vm-1","type":"VirtualMachine"}}]}"#,
                #"{"error_type":"NOT_FOUND","messages":[{"id":"a","args":[]}]}"#,
                #"{"type":"com.vmware.vapi.std.errors.not_found","value":{"messages":[]}}"#,
            ],
            words: [
                "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\uD800", "\\", "null", "true",
                "-0", "1e999", "123456789012345678901234567890", "\u{0}", "[[[[[[[[", "\"value\":",
            ], longest: Self.longest)
        let tally = try sweep(&maker, read: RESTReading.init)
        #expect(tally.read > Self.count / 100, "\(tally)")
        #expect(tally.refused > Self.count / 100, "\(tally)")
    }

    @Test func `random and mutated VI JSON is read or refused, in bounded time`() throws {
        let cluster = """
            {"obj":{"_typeName":"ManagedObjectReference","type":"ClusterComputeResource",\
            "value":"domain-c8"},"propSet":[{"name":"name","val":{"_typeName":"string",\
            "_value":"Prod"}},{"name":"configurationEx","val":{"_typeName":"ClusterConfigInfoEx",\
            "dasConfig":{"enabled":true},"drsConfig":{"enabled":true,"defaultVmBehavior":"manual"},\
            "dpmConfigInfo":{"enabled":false}}}]}
            """
        let guest = """
            {"obj":{"_typeName":"ManagedObjectReference","type":"VirtualMachine","value":"vm-1"},\
            "propSet":[{"name":"name","val":{"_typeName":"string","_value":"web"}},\
            {"name":"runtime.host","val":{"_typeName":"ManagedObjectReference",\
            "type":"HostSystem","value":"host-1"}},{"name":"runtime.powerState",\
            "val":{"_typeName":"VirtualMachinePowerState","_value":"poweredOn"}},\
            {"name":"config.extraConfig","val":{"_typeName":"ArrayOfOptionValue","_value":[\
            {"_typeName":"OptionValue","key":"k","value":{"_typeName":"string","_value":"v"}}]}}],\
            "missingSet":[{"path":"config","fault":{"fault":{"_typeName":"NoPermission"}}}]}
            """
        var maker = BodyMaker(
            samples: [
                #"{"_typeName":"RetrieveResult","token":"1","objects":[\#(cluster),\#(guest)]}"#,
                #"{"_typeName":"RetrieveResult","objects":[\#(guest)]}"#,
                #"{"_typeName":"InvalidPowerState","existingState":"poweredOff","faultstring":"x"}"#,
                #"{"_typeName":"UserSession","key":"52aa"}"#, #"{"api_release":"8.0.3.0"}"#,
                "true", "null", "[]",
            ],
            words: [
                "{", "}", "[", "]", ",", ":", "\"", "\\u0000", "\\uD800", "\\", "null", "true",
                "-0", "1e999", "123456789012345678901234567890", "\u{0}", "[[[[[[[[",
                "\"_value\":", "\"_typeName\":\"ManagedObjectReference\",",
                "\"_typeName\":\"ArrayOfString\",",
            ], longest: Self.longest)
        let tally = try sweep(&maker, read: VIJSONReading.init)
        #expect(tally.read > Self.count / 100, "\(tally)")
        #expect(tally.refused > Self.count / 100, "\(tally)")
    }

    // MARK: Parts

    private struct Tally: CustomStringConvertible {
        var read = 0
        var refused = 0
        var description: String { "\(read) read, \(refused) refused" }
    }

    private func sweep(
        _ maker: inout BodyMaker, read: ([UInt8]) throws -> some Any
    ) throws -> Tally {
        var tally = Tally()
        let before = try residentMiB()
        for number in 0..<Self.count {
            let body = maker.next()
            let start = ContinuousClock.now
            do {
                _ = try read(body)
                tally.read += 1
            } catch { tally.refused += 1 }
            let took = ContinuousClock.now - start
            #expect(took < Self.limit, "body \(number) of \(body.count) bytes took \(took)")
        }
        let growth = try residentMiB() - before
        #expect(growth < Self.growthMiB, "\(growth) MiB more than before \(tally)")
        return tally
    }

    /// What this process holds in memory.
    private func residentMiB() throws -> Int {
        let statm = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        let pages = try #require(statm.split(separator: " ").dropFirst().first.flatMap { Int($0) })
        return pages * 4096 / 1_048_576
    }
}

/// All that vpower does with a body of vim25, without a vCenter.
private struct SOAPReading {
    init(_ body: [UInt8]) throws {
        do { _ = try APIVersion.choose(body) } catch { _ = "\(error)" }
        let payload = try ReplyReader.payload(of: body)
        if payload.name == "Fault" {
            _ = VimFault(envelope: payload).description
            return
        }
        do { _ = try ServiceContent(reply: payload) } catch { _ = "\(error)" }
        guard let result = payload["returnval"] else { return }
        let reading = ClusterReading(objects: try VimClient.objects(in: result), labels: .all)
        let cluster = try reading.cluster(ClusterName("Prod"))
        _ = try reading.gaps(of: cluster.reference)
        _ = try reading.inventory(of: cluster.reference, version: 1, marks: [:], tags: [:])
        _ = try ClusterReading.automation(cluster, vclsOption: .unset)
    }
}

/// All that vpower does with a body of VI JSON, without a vCenter.
private struct VIJSONReading {
    init(_ body: [UInt8]) throws {
        _ = JSONReply.fault(in: body)?.description
        let wire = JSONWire(version: "8.0.1.0", session: nil)
        let reply = try wire.result(
            HTTPSResponse(status: 200, headers: [], body: body), of: .retrievePropertiesEx)
        guard let result = reply["returnval"] else { return }
        let reading = ClusterReading(objects: try VimClient.objects(in: result), labels: .all)
        guard !reading.objects.isEmpty else { return }
        let cluster = try reading.cluster(ClusterName("Prod"))
        _ = try reading.inventory(of: cluster.reference, version: 1, marks: [:], tags: [:])
        _ = try ClusterReading.automation(cluster, vclsOption: .unset)
    }
}

/// All that vpower does with a body of the REST interface, without a vCenter.
private struct RESTReading {
    init(_ body: [UInt8]) throws {
        _ = RESTFault(body)
        var refusal: (any Error)?
        var count = 0
        func attempt(_ read: () throws -> Void) {
            do {
                try read()
                count += 1
            } catch { refusal = error }
        }
        for shape in [RESTShape.api, .rest] {
            attempt { let _: RESTTag = try RESTClient.decoded(body, shape) }
            attempt { let _: RESTCategory = try RESTClient.decoded(body, shape) }
            attempt { let _: [RESTAttached] = try RESTClient.decoded(body, shape) }
            attempt { let _: RESTGuestState = try RESTClient.decoded(body, shape) }
            attempt { let _: String = try RESTClient.decoded(body, shape) }
        }
        if count == 0, let refusal { throw refusal }
    }
}

/// Makes bodies of samples: most are a sample with some mutations, some are random from end to end.
private struct BodyMaker {
    private let samples: [[UInt8]]
    private let words: [[UInt8]]
    private let longest: Int
    private var random = LabRandom(seed: 1)

    init(samples: [String], words: [String], longest: Int) {
        self.samples = samples.map { Array($0.utf8) }
        self.words = words.map { Array($0.utf8) }
        self.longest = longest
    }

    mutating func next() -> [UInt8] {
        var body = Int.random(in: 0..<10, using: &random) == 0 ? noise() : pick(samples)
        for _ in 0..<Int.random(in: 0...4, using: &random) { mutate(&body) }
        return Array(body.prefix(longest))
    }

    private mutating func pick(_ list: [[UInt8]]) -> [UInt8] {
        list[Int.random(in: list.indices, using: &random)]
    }

    /// Random bytes, or words in any order.
    private mutating func noise() -> [UInt8] {
        let count = Int.random(in: 0..<400, using: &random)
        if Bool.random(using: &random) {
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        return (0..<count).flatMap { _ in pick(words) }
    }

    private mutating func range(in body: [UInt8]) -> Range<Int> {
        let start = Int.random(in: 0...body.count, using: &random)
        return start..<min(body.count, start + Int.random(in: 0..<200, using: &random))
    }

    private mutating func mutate(_ body: inout [UInt8]) {
        let place = range(in: body)
        switch Int.random(in: 0..<7, using: &random) {
        case 0 where !place.isEmpty:
            body[place.lowerBound] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: body.removeSubrange(place)
        case 2: body.insert(contentsOf: body[place], at: place.lowerBound)
        case 3: body.insert(contentsOf: pick(words), at: place.lowerBound)
        case 4: body.removeLast(body.count - place.lowerBound)
        case 5:
            let other = pick(samples)
            body.replaceSubrange(place, with: other[range(in: other)])
        default:
            // Grows: nesting, long texts, many of the same.
            let part = Array(body[place])
            let times = min(200, (longest - min(longest, body.count)) / max(1, part.count))
            for _ in 0..<times { body.insert(contentsOf: part, at: place.lowerBound) }
        }
    }
}
