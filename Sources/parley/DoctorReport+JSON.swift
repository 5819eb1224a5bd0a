// SPDX-License-Identifier: GPL-3.0-or-later
import Wire

extension DoctorReport {
    /// What is printed for programs.
    var json: JSONObject {
        var object: JSONObject = [
            "ok": .bool(isWell), "nat": .string(nat.rawValue), "summary": .string(clean(summary)),
            "checks": .array(
                lines.map { line in
                    var check: JSONObject = [
                        "topic": .string(line.topic), "mark": .string(line.mark.rawValue),
                        "text": .string(clean(line.text)),
                    ]
                    check["help"] = line.help.map { .string(clean($0)) }
                    return .object(check)
                }),
        ]
        object["advice"] = advice.map { .string(clean($0)) }
        return object
    }
}
