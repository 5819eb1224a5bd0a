// SPDX-License-Identifier: GPL-3.0-or-later

/// What the fixture's four registrations and five queries look like, a screen each; then a server with a million peers,
/// and its last two minutes.
enum Golden {
    static let screen120x36 = """
         parley-index 0.4.1  RUNNING 3 d 04:11:00   udp [::]:50000 · ctl /run/parley-index/ctl Sun 22 Nov 14:31:07  every 1.0 s
         ¹rates  queries 412/s ▆▇▇▂▂▃▃▄▅▅▆█  reg 9/s   ▁▂▁█  err 0/s   ▁▁█▁  keep 6/s                          peak 733/s 14:31
         ²health p50 200 µs p99 1.9 ms ▅▅▆▆▆▆▆▆▇▇▇▇▇█▄▅▅▅▅▅ · drops 0 · malformed 3                                   mem 21 MB
                 memory ok
                 denied 12, mostly bad signature · limited 0 · unready 0 · key 3 seed 1 · hit 410 miss 2
        ─³registrations 4 ──────────────── sort: expires ↑ ─│─⁴queries (live) ───────────────────────────────────── v: results ─
         PEER     KIND ADDRESS                  AGE EXPIRES │ TIME         SOURCE        OP   TARGET   RESULT                 µs
        ›4f2a91c0 key  203.0.113.x:40112        12s ▌     9s│ 14:31:07.112 192.0.2.x     LOOK 4f2a91c9 miss                   99
         4f2a91c1 key  [2001:db8::x]:7001       11m ▌    18m│ 14:31:07.112 192.0.2.x     REG  4f2a91c3 DENY bad signature     98
         4f2a91c2 seed 203.0.113.x:40112        23m █    36m│ 14:31:07.112 192.0.2.x     LOOK no‹ESC›… invalid                97
         4f2a91c3 key  203.0.113.x:40112        35m █▌   55m│ 14:31:07.112 192.0.2.x     REG  4f2a91c1 renew                  96
                                                            │ 14:31:07.112 192.0.2.x     LOOK 4f2a91c0 hit                    95
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
         ? help · Tab panel · v view · / filter · s sort · p pause · Enter details · y copy · h history · x unmask · q detach
        """

    static let screen80x24 = """
         parley-index RUN 3d   udp [::]:50000                           14:31:07  1.0 s
         ¹queries 412/s ▆▇▇▂▂▃▃▄▅▅▆█  reg 9/s  err 0/s  keep 6/s       peak 733/s 14:31
         ²p50 200 µs p99 1.9 ms ▇█▄▅▅▅▅▅ · drops 0 · denied 12, mostly bad signature · …
          memory ok                                                           mem 21 MB
        ─³registrations 4 ──────────────────────────────────────────── sort: expires ↑ ─
         PEER     KIND ADDRESS                               AGE EXPIRES        SEQUENCE
        ›4f2a91c0 key  203.0.113.x:40112                     12s ▌     9s  1795357000000
         4f2a91c1 key  [2001:db8::x]:7001                    11m ▌    18m  1795357000001
         4f2a91c2 seed 203.0.113.x:40112                     23m █    36m              -
         4f2a91c3 key  203.0.113.x:40112                     35m █▌   55m  1795357000003




        ─⁴queries (live) ────────────────────────────────────────────────── v: results ─
         14:31:07.112 192.0.2.x                LOOK 4f2a91c9 miss                     99
         14:31:07.112 192.0.2.x                REG  4f2a91c3 DENY bad signature       98
         14:31:07.112 192.0.2.x                LOOK no‹ESC›… invalid                  97
         14:31:07.112 192.0.2.x                REG  4f2a91c1 renew                    96
         14:31:07.112 192.0.2.x                LOOK 4f2a91c0 hit                      95



         ? help  Tab panel  v view  / filter  s sort  p pause  Enter details  q detach
        """

    static let screen40x12 = """
         index RUN 3d                  14:31:07
         peers 4  key 3 seed 1          reg 9/s
         qps 412 ▆▇▇▂▂▃▃▄▅▅▆█        p99 1.9 ms
         err 0/s · drop 0 · denied 12
        ─³registrations 4 ──── sort: expires ↑ ─
        ›4f2a91c0 key  203.0.113.x:40…  12s   9s
         4f2a91c1 key  [2001:db8::x]:…  11m  18m
         4f2a91c2 seed 203.0.113.x:40…  23m  36m
         4f2a91c3 key  203.0.113.x:40…  35m  55m


         q quit ? help p pause / filter Tab view
        """

    static let screen100x12ASCII = """
         parley-index 0.4.1  RUNNING 3 d 04:11:00   udp [::]:50000 - ctl ~ Sun 22 Nov 14:31:07  every 1.0 s
         1 rates  queries 412/s .::-==+#  reg 9/s _._#  err 0/s __#_  keep 6/s             peak 733/s 14:31
         2 health p50 200 us p99 1.9 ms *#-===== - drops 0 - denied 12 - malformed 3 - limited 0~ mem 21 MB
        -3 registrations 4 ------- sort: expires ^ -|-4 queries (live) ------------------------ v: results -
         PEER     KIND ADDRESS              AGE  EXP| TIME         SOURCE        OP   TARGET   RESULT     us
        >4f2a91c0 key  203.0.113.x:40112    12s   9s| 14:31:07.112 192.0.2.x     LOOK 4f2a91c9 miss       99
         4f2a91c1 key  [2001:db8::x]:7001   11m  18m| 14:31:07.112 192.0.2.x     REG  4f2a91c3 DENY ~     98
         4f2a91c2 seed 203.0.113.x:40112    23m  36m| 14:31:07.112 192.0.2.x     LOOK no<ESC>~ inval~     97
         4f2a91c3 key  203.0.113.x:40112    35m  55m| 14:31:07.112 192.0.2.x     REG  4f2a91c1 renew      96
                                                    | 14:31:07.112 192.0.2.x     LOOK 4f2a91c0 hit        95
                                                    |
         ? help - Tab panel - v view - / filter - s sort - p pause - Enter details - y copy - q detach
        """

    static let screen40x12ASCII = """
         index RUN 3d                  14:31:07
         peers 4  key 3 seed 1          reg 9/s
         qps 412 +**..::-==+#        p99 1.9 ms
         err 0/s - drop 0 - denied 12
        -3 registrations 4 --- sort: expires ^ -
        >4f2a91c0 key  203.0.113.x:40~  12s   9s
         4f2a91c1 key  [2001:db8::x]:~  11m  18m
         4f2a91c2 seed 203.0.113.x:40~  23m  36m
         4f2a91c3 key  203.0.113.x:40~  35m  55m


         q quit ? help p pause / filter Tab view
        """

    static let busy120x36 = """
         parley-index 0.4.1  RUNNING 3 d 04:11:02   udp [::]:50000 · ctl /run/parley-index/ctl Sun 22 Nov 14:31:09  every 1.0 s
         ¹rates  queries 200k/s ▂▂▂▂▂▂▂▂▂▂▂█  reg 9/s   ▁▂▁█  err 0/s   ▁▁█▁  keep 6/s                         peak 733/s 14:31
         ²health p50 200 µs p99 1.9 ms ▅▅▆▆▆▆▆▆▇▇▇▇▇█▄▅▅▅▅▅ · drops 0 · malformed 3            mem 412 MB · cpu 140 % · 2 loops
                 sqlite ok · 12,345 rows/s · commit p99 2.1 ms · 85 MB · 3 waiting
                 denied 12, mostly bad signature · limited 0 · unready 0 · key 999,000 seed 1,000 · hit 600,000 miss 2
        ─³registrations 1,000,000 ──────── sort: expires ↑ ─│─⁴queries (live) · 198,395/s left out ──────────────── v: results ─
         PEER     KIND ADDRESS                  AGE EXPIRES │ TIME         SOURCE        OP   TARGET   RESULT                 µs
        ›4f2a91c0 key  203.0.113.x:40112        12s ▌     9s│ 14:31:09.112 192.0.2.x     LOOK 4f2a91c9 miss                    3
         4f2a91c1 key  [2001:db8::x]:7001       11m ▌    18m│ 14:31:09.112 192.0.2.x     REG  4f2a91c3 DENY bad signature      3
         4f2a91c2 seed 203.0.113.x:40112        23m █    36m│ 14:31:09.112 192.0.2.x     LOOK no‹ESC›… invalid                 3
         4f2a91c3 key  203.0.113.x:40112        35m █▌   55m│ 14:31:09.112 192.0.2.x     REG  4f2a91c1 renew                   3
                                                            │ 14:31:09.112 192.0.2.x     LOOK 4f2a91c0 hit                     3
                                                            │ 14:31:08.112 192.0.2.x     LOOK 4f2a91c9 miss                    3
                                                            │ 14:31:08.112 192.0.2.x     REG  4f2a91c3 DENY bad signature      3
                                                            │ 14:31:08.112 192.0.2.x     LOOK no‹ESC›… invalid                 3
                                                            │ 14:31:08.112 192.0.2.x     REG  4f2a91c1 renew                   3
                                                            │ 14:31:08.112 192.0.2.x     LOOK 4f2a91c0 hit                     3
                                                            │ 14:31:07.112 192.0.2.x     LOOK 4f2a91c9 miss                    3
                                                            │ 14:31:07.112 192.0.2.x     REG  4f2a91c3 DENY bad signature      3
                                                            │ 14:31:07.112 192.0.2.x     LOOK no‹ESC›… invalid                 3
                                                            │ 14:31:07.112 192.0.2.x     REG  4f2a91c1 renew                   3
                                                            │ 14:31:07.112 192.0.2.x     LOOK 4f2a91c0 hit                     3
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
         ? help · Tab panel · v view · / filter · s sort · p pause · Enter details · y copy · h history · x unmask · q detach
        """

    static let busy80x24 = """
         parley-index RUN 3d   udp [::]:50000                           14:31:09  1.0 s
         ¹queries 200k/s ▂▂▂▂▂▂▂▂▂▂▂█  reg 9/s  err 0/s  keep 6/s      peak 733/s 14:31
         ²p50 200 µs p99 1.9 ms ▇█▄▅▅▅▅▅ · drops 0 · denied 12, mostly bad signature · …
          sqlite ok · 12,345 rows/s · commit p99 2.1 ms · 85 MB… mem 412 MB · cpu 140 %
        ─³registrations 1,000,000 ──────────────────────────────────── sort: expires ↑ ─
         PEER     KIND ADDRESS                               AGE EXPIRES        SEQUENCE
        ›4f2a91c0 key  203.0.113.x:40112                     12s ▌     9s  1795357000000
         4f2a91c1 key  [2001:db8::x]:7001                    11m ▌    18m  1795357000001
         4f2a91c2 seed 203.0.113.x:40112                     23m █    36m              -
         4f2a91c3 key  203.0.113.x:40112                     35m █▌   55m  1795357000003




        ─⁴queries (live) · 198,395/s left out ───────────────────────────── v: results ─
         14:31:09.112 192.0.2.x                LOOK 4f2a91c9 miss                      3
         14:31:09.112 192.0.2.x                REG  4f2a91c3 DENY bad signature        3
         14:31:09.112 192.0.2.x                LOOK no‹ESC›… invalid                   3
         14:31:09.112 192.0.2.x                REG  4f2a91c1 renew                     3
         14:31:09.112 192.0.2.x                LOOK 4f2a91c0 hit                       3
         14:31:08.112 192.0.2.x                LOOK 4f2a91c9 miss                      3
         14:31:08.112 192.0.2.x                REG  4f2a91c3 DENY bad signature        3
         14:31:08.112 192.0.2.x                LOOK no‹ESC›… invalid                   3
         ? help  Tab panel  v view  / filter  s sort  p pause  Enter details  q detach
        """

    static let history80x24 = """
         ── the last 120 seconds ─────────────────────────────────────────────────────s
         │ p99   1.8 ms┤     ▁▂▄▆▇     ▂▃▅▇     ▁▃▄▆▇     ▂▄▅▇     ▁▃▅▆▇     ▂▄▆█    │1
         │             ┤ ▁▃▅▇█████▁▂▄▆█████ ▂▃▅▇█████▁▃▄▆█████ ▂▄▆▇█████▁▃▅▇█████ ▂▄ │ …
         │             ┤████████████████████████████████████████████████████████████ │%
        ─│            0┤████████████████████████████████████████████████████████████ │ ─
         │ p50   240 µs┤▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█▂▅█▁▄▆█ │CE
        ›│             ┤████████████████████████████████████████████████████████████ │00
         │             ┤████████████████████████████████████████████████████████████ │01
         │            0┤████████████████████████████████████████████████████████████ │ -
         │ qps   200k/s┤                                                           █ │03
         │             ┤                                                           █ │
         │             ┤                                                           █ │
         │            0┤▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█ │
         │ reg      9/s┤                                                           █ │
        ─│             ┤                                                           █ │ ─
         │             ┤                                                           █ │ 3
         │            0┤                                                          ▃█ │ 3
         │ err      1/s┤                                                           █ │ 3
         │             ┤                                                           █ │ 3
         │             ┤                                                           █ │ 3
         │            0┤                                                           █ │ 3
         │              -120 s                        -60 s                      now │ 3
         ───────────────────────────────────────────────────────────────────────────── 3
         Esc close
        """

    static let busy40x12ASCII = """
         index RUN 3d                  14:31:09
         peers 1,000,000  key 999k see~ reg 9/s
         qps 200k ...........#       p99 1.9 ms
         err 0/s - drop 0 - denied 12
        -3 registrations 1,000,000 - sort: ex~ -
        >4f2a91c0 key  203.0.113.x:40~  12s   9s
         4f2a91c1 key  [2001:db8::x]:~  11m  18m
         4f2a91c2 seed 203.0.113.x:40~  23m  36m
         4f2a91c3 key  203.0.113.x:40~  35m  55m


         q quit ? help p pause / filter Tab view
        """

    static let history40x12ASCII = """
         index RUN 3d                  14:31:09
         -- the last 120 seconds -------------s
         | p99   1.8 ms|-+**+**=**=**=+*=+#= |s
         | p50   240 us|*######*######*##### |
        -| qps   200k/s|___________________# | -
        >| reg      9/s|                   # |9s
         | err      1/s|                   # |8m
         |              -120 s    -60 s  now |6m
         -------------------------------------5m


         Esc close
        """

    static let pairs120x36 = """
         parley-index 0.4.1  RUNNING 3 d 04:11:01   udp [::]:50000 · ctl /run/parley-index/ctl Sun 22 Nov 14:31:08  every 1.0 s
         ¹rates  queries 412/s ▆▇▇▂▂▃▃▄▅▅▆█  reg 9/s   ▁▂▁█  err 0/s   ▁▁█▁  keep 6/s                          peak 733/s 14:31
         ²health p50 200 µs p99 1.9 ms ▅▅▆▆▆▆▆▆▇▇▇▇▇█▄▅▅▅▅▅ · drops 0 · malformed 3                                   mem 21 MB
                 memory ok
                 denied 12, mostly bad signature · limited 0 · unready 0 · key 3 seed 1 · hit 410 miss 2
                 relay 3 of 10k pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7↑ · 1.2 GB passed on
        ─³registrations 4 ──────────────── sort: expires ↑ ─│─⁴relayed pairs 3 ──────────────────────────────────── v: queries ─
         PEER     KIND ADDRESS                  AGE EXPIRES │ PEER     PEER                               RATE   TOTAL IDLE TLS
         4f2a91c0 key  203.0.113.x:40112        12s ▌     9s│ 4f2a…    4f2a…                          8.0 kB/s   85 MB   0s -
         4f2a91c1 key  [2001:db8::x]:7001       11m ▌    18m│ 4f2a…    4f2a…                          4.0 kB/s   42 MB   1m one
         4f2a91c2 seed 203.0.113.x:40112        23m █    36m│ 4f2a…    4f2a…                             0 B/s   28 MB   2m both
         4f2a91c3 key  203.0.113.x:40112        35m █▌   55m│
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
                                                            │
         ? help · Tab panel · v view · / filter · s sort · p pause · h history · x unmask · 1-4 show/hide · w save · q detach
        """

    static let pairs80x24 = """
         parley-index RUN 3d   udp [::]:50000                           14:31:08  1.0 s
         ¹queries 412/s ▆▇▇▂▂▃▃▄▅▅▆█  reg 9/s  err 0/s  keep 6/s       peak 733/s 14:31
         ²p50 200 µs p99 1.9 ms ▇█▄▅▅▅▅▅ · drops 0 · denied 12, mostly bad signature · …
          memory ok                                                           mem 21 MB
          relay 3 pairs · 12 kB/s · tls 2 · calls 12 · over quota 0 · refused 7↑
        ─³registrations 4 ──────────────────────────────────────────── sort: expires ↑ ─
         PEER     KIND ADDRESS                               AGE EXPIRES        SEQUENCE
         4f2a91c0 key  203.0.113.x:40112                     12s ▌     9s  1795357000000
         4f2a91c1 key  [2001:db8::x]:7001                    11m ▌    18m  1795357000001
         4f2a91c2 seed 203.0.113.x:40112                     23m █    36m              -
         4f2a91c3 key  203.0.113.x:40112                     35m █▌   55m  1795357000003



        ─⁴relayed pairs 3 ───────────────────────────────────────────────── v: queries ─
         PEER     PEER                                            RATE   TOTAL IDLE TLS
         4f2a…    4f2a…                                       8.0 kB/s   85 MB   0s -
         4f2a…    4f2a…                                       4.0 kB/s   42 MB   1m one
         4f2a…    4f2a…                                          0 B/s   28 MB   2m both




         ? help  Tab panel  v view  / filter  s sort  p pause  h history  q detach
        """

    static let pairs40x12ASCII = """
         index RUN 3d                  14:31:08
         peers 4  key 3 seed 1          reg 9/s
         qps 412 +**..::-==+#        p99 1.9 ms
         err 0/s - drop 0 - denied 12
         relay 3 - 12 kB/s - tls 2 - refused 7^
        -4 relayed pairs 3 -------- v: queries -
         PEER     PEER            RATE IDLE TLS
         4f2a~    4f2a~       8.0 kB/s   0s -
         4f2a~    4f2a~       4.0 kB/s   1m one
         4f2a~    4f2a~          0 B/s   2m both

         q quit ? help p pause / filter Tab view
        """
}
