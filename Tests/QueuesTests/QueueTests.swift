// SPDX-License-Identifier: GPL-3.0-or-later
import Queues
import Testing

@Suite struct BoundedQueueTests {
    @Test func `an offer beyond the capacity drops the newest and counts them`() async {
        let queue = BoundedQueue<Int>(capacity: 3)
        #expect(queue.offer([1, 2]) == 2)
        #expect(queue.offer([3, 4, 5]) == 1)
        #expect(queue.dropped == 2)
        #expect(await queue.next() == [1, 2, 3])
    }

    @Test func `what is left is delivered before the end`() async {
        let queue = BoundedQueue<Int>(capacity: 3)
        queue.offer([1])
        queue.finish()
        #expect(await queue.next() == [1])
        #expect(await queue.next() == nil)
        await queue.send([2])
        #expect(await queue.next() == nil)
    }

    @Test func `a sender waits for room and nothing is lost or reordered`() async {
        let queue = BoundedQueue<Int>(capacity: 10)
        async let sent: Void = {
            for number in 0..<10_000 { await queue.send([number]) }
            queue.finish()
        }()
        var received: [Int] = []
        var longest = 0
        while let batch = await queue.next() {
            longest = max(longest, batch.count)
            received += batch
        }
        await sent
        #expect(received == Array(0..<10_000))
        #expect(longest <= 11)
    }

    @Test func `after the end nothing is taken any more`() async {
        let queue = BoundedQueue<Int>(capacity: 3)
        queue.finish()
        #expect(queue.offer([1]) == 0)
        queue.append([2])
        #expect(queue.count == 0 && queue.dropped == 0)
        #expect(await queue.next() == nil)
    }

    @Test func `a sender that nobody reads for goes on when it is cancelled`() async {
        let queue = BoundedQueue<Int>(capacity: 1)
        let sender = Task {
            await queue.send([1, 2, 3])
            return true
        }
        sender.cancel()
        #expect(await sender.value)
        #expect(await queue.next() == [1, 2, 3])
    }

    @Test func `the end lets all waiting senders go`() async {
        let queue = BoundedQueue<Int>(capacity: 0)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<20 { group.addTask { await queue.send([number]) } }
            while queue.count < 20 { await Task.yield() }
            queue.finish()
        }
        #expect(await queue.next()?.sorted() == Array(0..<20))
        #expect(await queue.next() == nil)
    }

    @Test func `many senders and cancellations lose nothing`() async {
        let queue = BoundedQueue<Int>(capacity: 4)
        async let received: [Int] = {
            var all: [Int] = []
            while let batch = await queue.next() { all += batch }
            return all
        }()
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask { for number in 0..<500 { await queue.send([sender * 500 + number]) } }
            }
        }
        queue.finish()
        let all = await received
        #expect(all.sorted() == Array(0..<4000))
        for sender in 0..<8 {
            let own = all.filter { $0 / 500 == sender }
            #expect(own == own.sorted(), "each sender's order holds")
        }
    }

    @Test func `a cancelled consumer gets nil and the next one works`() async {
        let queue = BoundedQueue<Int>(capacity: 3)
        let waiting = Task { await queue.next() }
        waiting.cancel()
        #expect(await waiting.value == nil)
        queue.offer([7])
        #expect(await queue.next() == [7])
    }
}

@Suite struct AlarmTests {
    @Test func `a ring before the sleep ends it at once`() async {
        let alarm = Alarm()
        alarm.ring()
        await alarm.sleep(for: nil)
    }

    @Test func `a ring wakes the sleeper long before its time`() async {
        let alarm = Alarm()
        async let slept: Void = alarm.sleep(for: .seconds(3600))
        alarm.ring()
        await slept
    }

    @Test func `time wakes the sleeper when nobody rings`() async {
        await Alarm().sleep(for: .milliseconds(1))
    }

    @Test func `cancellation wakes the sleeper`() async {
        let alarm = Alarm()
        let sleeper = Task { await alarm.sleep(for: nil) }
        sleeper.cancel()
        await sleeper.value
    }
}
