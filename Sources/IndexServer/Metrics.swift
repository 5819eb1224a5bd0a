// SPDX-License-Identifier: GPL-3.0-or-later
internal import IndexEngine
internal import Model

/// The page of metrics, from what displays see too.
struct Metrics {
    var snapshot: IndexSnapshot
    /// How many datagrams were handled within each of `bounds`, all of them, and in how much time.
    var latencies: (cumulative: [UInt64], count: UInt64, sum: Span)

    /// Nanoseconds: each a power of two less one, from 1 µs to 8 s, which the histogram counts exactly.
    static let bounds = (10...33).map { (UInt64(1) << $0) - 1 }

    var text: String {
        var text = PrometheusText()
        addRequests(&text)
        addRelay(&text)
        addState(&text)
        addStore(&text)
        addProcess(&text)
        return text.text
    }

    private func addRequests(_ text: inout PrometheusText) {
        let counters = snapshot.counters
        let queries = [
            ("hit", counters.hits), ("miss", counters.misses), ("invalid", counters.invalidQueries),
        ]
        text.add(
            "parley_index_queries_total", .counter, "Queries that were answered.",
            queries.map { ("result=\"\($0.0)\"", "\($0.1)") })
        let requests = [
            ("registration", "new", counters.newRegistrations), ("registration", "renew", counters.renewals),
            ("registration", "moved", counters.moves), ("registration", "seed", counters.seedRegistrations),
            ("registration", "proof", counters.challenges), ("keepalive", "alive", counters.keepalives),
            ("keepalive", "roamed", counters.roams), ("call", "called", counters.calls),
            ("call", "absent", counters.absences), ("seen", "seen", counters.sightings),
        ]
        text.add(
            "parley_index_requests_total", .counter, "Requests beside queries that were granted or challenged.",
            requests.map { ("op=\"\($0.0)\",result=\"\($0.1)\"", "\($0.2)") })
        let reasons =
            Denial.allCases.map { ($0.rawValue, counters[$0]) }
            + [("malformed", counters.malformed), ("ignored", counters.ignored)]
        text.add(
            "parley_index_rejected_total", .counter, "Datagrams that were refused, or were no request.",
            reasons.map { ("reason=\"\($0.0)\"", "\($0.1)") })
        for (name, help, value) in [
            ("limited", "Datagrams left unanswered because their source asked too much.", counters.limited),
            ("unready", "Datagrams left unanswered because of the store.", counters.unready),
            ("receive_drops", "Datagrams that the kernel dropped unread.", counters.receiveDrops),
            ("send_errors", "Answers that the kernel did not take.", counters.sendErrors),
        ] {
            text.add("parley_index_\(name)_total", .counter, help, value)
        }
        text.addHistogram(
            "parley_index_query_duration_seconds", "From reading a datagram to having its answer.",
            bounds: zip(Self.bounds, latencies.cumulative).map { (Double($0) / 1e9, $1) }, count: latencies.count,
            sum: latencies.sum)
    }

    private func addRelay(_ text: inout PrometheusText) {
        let relay = snapshot.relay
        text.add(
            "parley_index_relay_offered", .gauge, "1 when datagrams are passed on between peers.",
            relay.isOffered ? 1 : 0)
        for (name, help, value) in [
            ("channels", "Pairs of peers that have a channel.", relay.channels),
            ("capacity", "Pairs that can have one.", relay.capacity),
            ("tunnels", "TLS connections of peers without UDP.", relay.tunnels),
        ] {
            text.add("parley_index_relay_\(name)", .gauge, help, value)
        }
        for (name, help, value) in [
            ("bytes", "Octets that were passed on.", relay.bytes),
            ("datagrams", "Datagrams that were passed on.", relay.datagrams),
            ("over_quota", "Datagrams that were dropped because too many were sent.", relay.overQuota),
            ("refused", "Datagrams for no channel, or from none of its peers.", relay.refused),
            ("displaced", "Channels in use that made room for others.", relay.displaced),
        ] {
            text.add("parley_index_relay_\(name)_total", .counter, help, value)
        }
    }

    private func addState(_ text: inout PrometheusText) {
        text.add(
            "parley_index_registrations", .gauge,
            "Registrations in memory, even if their lease is over and they are about to be removed.",
            [("kind=\"keyed\"", "\(snapshot.use.keyed)"), ("kind=\"seed\"", "\(snapshot.use.seeds)")])
        text.add("parley_index_record_bytes", .gauge, "Bytes of all signed records.", snapshot.use.recordBytes)
        text.add("parley_index_loops", .gauge, "Event loops that serve.", snapshot.loops)
        text.add(
            "parley_index_build_info", .gauge, "The program's version.",
            [("version=\(PrometheusText.quoted(snapshot.server.version))", "1")])
    }

    private func addStore(_ text: inout PrometheusText) {
        let store = snapshot.store
        var (isFailing, isLoading) = (false, false)
        switch store.state {
        case .failing: isFailing = true
        case .loading: isLoading = true
        case .ready: break
        }
        text.add("parley_index_store_failing", .gauge, "1 while nothing can be written.", isFailing ? 1 : 0)
        text.add("parley_index_store_loading", .gauge, "1 while the last run's rows are read.", isLoading ? 1 : 0)
        text.add("parley_index_store_waiting", .gauge, "Rows that wait for the transaction under way.", store.waiting)
        text.add("parley_index_store_commits_total", .counter, "Transactions.", store.commits)
        text.add("parley_index_store_rows_written_total", .counter, "Rows written.", store.rowsWritten)
        text.add(
            "parley_index_store_commit_seconds", .gauge, "How long the last transactions took.",
            [
                ("quantile=\"0.5\"", "\(store.latency.median.seconds)"),
                ("quantile=\"0.99\"", "\(store.latency.p99.seconds)"),
            ])
        text.add("parley_index_store_bytes", .gauge, "Bytes on disk.", store.bytes)
    }

    private func addProcess(_ text: inout PrometheusText) {
        text.add("process_resident_memory_bytes", .gauge, "Resident memory.", snapshot.residentBytes)
        text.add("process_cpu_seconds_total", .counter, "CPU time.", snapshot.cpu?.seconds)
        text.add("process_open_fds", .gauge, "Open descriptors.", ProcessUse.openDescriptors)
        text.add("process_max_fds", .gauge, "Descriptors that may be open.", ProcessUse.descriptorLimit)
        text.add(
            "process_start_time_seconds", .gauge, "Start, in seconds since 1970.",
            ProcessUse.startSeconds(now: snapshot.time))
    }
}
