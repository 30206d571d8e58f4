import Foundation
import Testing

@testable import PowerLab

/// The type table, compared with what pyvmomi knows.
struct LabVCenterTypeTests {
    @Test func `every type, order and first version in the table is pyvmomi's`() async throws {
        let described = try JSONSerialization.data(withJSONObject: describe(VimTable.vim25))
        let answer = try await LabVCenterRig.python(
            "vim_types.py", ["check"], input: String(decoding: described, as: UTF8.self))
        #expect(String(decoding: answer, as: UTF8.self) == "[]")
    }

    @Test func `a table with two fields exchanged is found out`() async throws {
        let wrong = VimTable(
            objects: [
                VimObjectType("DynamicData", base: nil, []),
                VimObjectType(
                    "RetrieveOptions", base: "DynamicData", ["maxObjects int?"]),
                VimObjectType(
                    "WaitOptions", base: "DynamicData",
                    ["maxObjectUpdates int?", "maxWaitSeconds int?"]),
            ], enumerations: ["DpmBehavior": ["automated"]], methods: [], managed: [])
        let described = try JSONSerialization.data(withJSONObject: describe(wrong))
        let answer = try await LabVCenterRig.python(
            "vim_types.py", ["check"], input: String(decoding: described, as: UTF8.self))
        let differences = try #require(
            JSONSerialization.jsonObject(with: answer) as? [[String: Any]])
        let named = Set(differences.compactMap { $0["type"] as? String })
        #expect(named == ["DynamicData", "WaitOptions", "DpmBehavior"])
    }

    @Test func `a field reads as it is written`() {
        for text in ["enabled boolean?", "host &HostSystem*", "spec A+ 8.0.2.0", "name string"] {
            #expect(VimField(text).text == text)
        }
    }

    private func describe(_ table: VimTable) -> [String: Any] {
        func types(_ types: [String: VimObjectType]) -> [String: Any] {
            types.mapValues { type in
                [
                    "base": type.base.map { $0 as Any } ?? NSNull(),
                    "fields": type.fields.map(\.text),
                ]
            }
        }
        return [
            "objects": types(table.objects), "managed": types(table.managed),
            "enums": table.enumerations,
            "methods": table.methods.mapValues {
                ["on": $0.receiver, "fields": $0.parameters.map(\.text)] as [String: Any]
            },
        ]
    }
}
