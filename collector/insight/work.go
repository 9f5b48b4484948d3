// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"beltrace/collector/model"
)

func workOf(w *model.Work) *model.Work {
	if w == nil {
		return &model.Work{}
	}
	return w
}

// share is what a listener's exchanges of the last seconds spent their time on.
type share struct {
	exchanges uint64
	serving   int64            // ns, all together: from the first byte to the last, without the way into the application's hands
	phases    map[string]int64 // ns, all together
}

// served returns the shares of the last seconds.
func (l *listener) served() share {
	now, then := l.now.work, l.ago(span).work
	s := share{exchanges: grown(now.Exchanges, then.Exchanges), phases: map[string]int64{}}
	for phase, ns := range now.Phases {
		ns -= min(ns, then.Phases[phase])
		s.phases[phase] = ns
		switch phase {
		case "syn", "handshake", "accept_queue", "client_idle":
		default:
			s.serving += ns
		}
	}
	return s
}

// each is a sum's part of one exchange.
func (s *share) each(ns int64) int64 { return ns / int64(max(s.exchanges, 1)) }

func (s *share) of(ns int64) float64 { return float64(ns) / float64(max(s.serving, 1)) }

const (
	blockedShare   = 0.5            // of the time of requests
	blockedEach    = 10e6           // ns
	blockedAtLeast = 5              // requests
	queuedShare    = 0.25           // of the time of requests
	queuedEach     = 1e6            // ns
	queuedAtLeast  = 20             // requests
	blockedIn      = "app.blocked:" // + what
)

// blockedHandler: requests take long since the thread that handles them waits for one thing.
var blockedHandler = rule{
	id: "blocked-handler",
	mechanism: "Between the last byte of a request that was read and the first byte of the answer the thread that handles it left its CPU in a system call (sched_switch) and slept until something woke it (sched_waking). " +
		"Meanwhile it needs no CPU, and a faster one would not help; but its request waits, and with a bounded number of threads so do others.",
	listener: func(l *listener) *evidence {
		s := l.served()
		if !l.reaches(float64(s.exchanges), blockedAtLeast) {
			return nil
		}
		on, most := "", int64(0)
		for _, phase := range slices.Sorted(maps.Keys(s.phases)) {
			if what, ok := strings.CutPrefix(phase, blockedIn); ok && what != "throttled" && s.phases[phase] > most {
				on, most = what, s.phases[phase]
			}
		}
		if !l.reaches(s.of(most), blockedShare) || !l.reaches(float64(s.each(most)), blockedEach) {
			return nil
		}
		words, remedy := waitingFor(on)
		at := ""
		if slept := l.now.work.Slept[blockedIn+on]; slept.TS >= l.now.ts-int64(span) {
			if at = slept.Stack.Callers(stackShown); at != "" {
				at = "; the code is " + at
			}
		}
		return &evidence{severity: model.Warning, weight: float64(most), remedy: remedy,
			text: fmt.Sprintf("requests wait %s: %s of each, %.0f %% of its time (%s in the last 10 s, %s each from the first byte to the last)%s",
				words, dur(s.each(most)), s.of(most)*100, count(s.exchanges, "request"), dur(s.each(s.serving)), at),
			numbers: map[string]float64{"requests_10s": float64(s.exchanges), "blocked_ns": float64(s.each(most)), "share": s.of(most), "serving_ns": float64(s.each(s.serving))}}
	},
}

// waitingFor says in words what a thread is blocked in, and what to change.
func waitingFor(on string) (words, remedy string) {
	call, target, downstream := strings.Cut(on, " ")
	switch {
	case on == "earlier_answer":
		return "for the answers to earlier requests on their connection (pipelining)",
			"Let the client use several connections, or HTTP/2: HTTP/1.1 answers in the order of the requests."
	case downstream:
		return fmt.Sprintf("for the downstream %s (in %s)", target, call),
			fmt.Sprintf("Look at %s: why does it take so long? Ask it less often (cache, batch), ask several things at once, and set a timeout.", target)
	case call == "futex":
		return "in futex (a lock, a condition, or a sleep of the language's runtime)",
			"Find the lock (perf lock, a mutex profile) and hold it for less, or split it. Where a runtime sleeps, look at what the handler waits for: a timer, a channel, a pool that is empty."
	case strings.Contains(call, "nanosleep"):
		return "since the handler sleeps in " + call, "Take the sleep out of the handler, or wait for the event itself instead of looking for it again and again."
	case strings.HasPrefix(call, "epoll_") || strings.HasPrefix(call, "poll") || call == "ppoll" || call == "select" || call == "pselect6":
		return fmt.Sprintf("in %s (for another socket, or a timer; a Go program also for a lock or a channel)", call),
			"Look at what the handler waits for: another server, a queue, a timer; in a Go program, whose scheduler waits there, also a mutex or a channel (its block and mutex profiles). Its thread was in an event loop meanwhile, so it is not the loop that is slow."
	case call == "page_fault" || strings.Contains(call, "sync") || strings.HasPrefix(call, "pread") || strings.HasPrefix(call, "pwrite") || strings.HasPrefix(call, "open"):
		return fmt.Sprintf("for the disk (in %s)", call), "Keep what is read often in memory, write without waiting (batch, or another thread syncs), or use a faster disk."
	case call == "sendto" || call == "write" || call == "sendmsg" || call == "writev" || call == "sendfile":
		return fmt.Sprintf("in %s (for room: somebody reads too slowly what it writes)", call), "Bound how much is written to one reader before others are served, and give it a timeout."
	}
	return "in " + on, fmt.Sprintf("Find out what the handler waits for in %s.", on)
}

// runQueueWait: requests take long since their threads are ready to run and have no CPU.
var runQueueWait = rule{
	id: "run-queue-wait",
	mechanism: "A thread that is woken (sched_wakeup), or that has used up its slice, stands on a CPU's run queue until the scheduler picks it (sched_switch). " +
		"With more threads ready to run than CPUs each waits for the others, whatever they do.",
	listener: func(l *listener) *evidence {
		s := l.served()
		queued := s.phases["runqueue"] + s.phases["app.runqueue"]
		if !l.reaches(float64(s.exchanges), queuedAtLeast) || !l.reaches(s.of(queued), queuedShare) || !l.reaches(float64(s.each(queued)), queuedEach) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: float64(queued),
			text: fmt.Sprintf("requests wait for a CPU: %s of each, %.0f %% of its time (%s in the last 10 s)", dur(s.each(queued)), s.of(queued)*100, count(s.exchanges, "request")),
			remedy: "Run fewer threads at once (a pool as large as there are CPUs), move other work off this host (page 7 shows who runs), or give it more CPUs. " +
				"What must not wait can be given weight (cpu.weight, nice) or CPUs of its own.",
			numbers: map[string]float64{"requests_10s": float64(s.exchanges), "runqueue_ns": float64(s.each(queued)), "share": s.of(queued)}}
		if n, known := l.runnable(); known {
			e.text += fmt.Sprintf("; %s threads of this process run or wait for a CPU at a time, on average", digits(n))
			e.numbers["runnable_threads"] = n
			l.besideCPUs(e, n)
		}
		return e
	},
}

// besideCPUs compares how many threads of the process want to run with how many can: more than there are CPUs for, or others
// have the CPUs.
func (l *listener) besideCPUs(e *evidence, runnable float64) {
	d := l.now.demand.V
	can := float64(d.CPUs)
	if d.CPUs == 0 {
		return
	}
	e.numbers["cpus"] = can
	words := fmt.Sprintf("the %s that it may use", count(uint64(d.CPUs), "CPU"))
	if d.Quota > 0 && d.Quota < can {
		can, words = d.Quota, fmt.Sprintf("its cgroup's limit of %s CPUs (it may use %d)", digits(d.Quota), d.CPUs)
		e.numbers["cpu_quota"] = d.Quota
	}
	if runnable > can {
		e.text += ": more than " + words
		return
	}
	e.text += ": not more than " + words + ", so that others have them, or its threads wait for the same one"
	e.remedy = "Look at who else runs on these CPUs (page 7, top) and move it away, give this process weight (cpu.weight, nice) or CPUs of its own, and let its threads run on all of them. Fewer threads of its own would help little."
}

// runnable is how many threads of the listener's process ran or wanted to at a time in the last seconds.
func (l *listener) runnable() (float64, bool) {
	now, then := l.now.demand, l.ago(window).demand
	watched, wanted := now.V.WatchedNS-then.V.WatchedNS, now.V.RunnableNS-then.V.RunnableNS
	if !now.Known || watched < int64(window)/5 || wanted <= 0 { // a thread that has ended may take its past with it
		return 0, false
	}
	return float64(wanted) / float64(watched), true
}

// throttledAtLeast is the share of the last seconds in which a process's threads were throttled, all together.
const throttledAtLeast = 0.02

// cpuThrottled: threads are ready to run, but their cgroup has used up its quota.
var cpuThrottled = rule{
	id: "cpu-throttled",
	mechanism: "A cgroup with a CPU limit (cpu.max: quota and period) gets so much CPU time in each period, for all its threads together. When that is used up, the scheduler takes them all off their CPUs until the next period " +
		"(throttle_cfs_rq), even if CPUs are idle: a request that comes then waits for up to a whole period.",
	listener: func(l *listener) *evidence {
		then := l.ago(window)
		ns := l.now.demand.V.ThrottledNS - then.demand.V.ThrottledNS
		took := l.now.ts - then.ts
		if !l.now.demand.Known || ns <= 0 || took <= 0 || !l.reaches(float64(ns), throttledAtLeast*float64(took)) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: float64(ns), numbers: map[string]float64{"throttled_ns": float64(ns)},
			remedy: "Raise the limit (cpu.max; CPUQuota= of its unit, resources.limits.cpu of its container), or run fewer threads at once (GOMAXPROCS, workers): many threads use the quota up at the beginning of each period."}
		var t sentence
		t.add("", "its cgroup's CPU quota was used up: threads that were ready to run stood still for %s in the last %s, all together", dur(ns), dur(took))
		if s := l.served(); s.exchanges > 0 && s.phases[blockedIn+"throttled"] > 0 {
			t.add(". ", "%s of each request is that (%s in the last 10 s)", dur(s.each(s.phases[blockedIn+"throttled"])), count(s.exchanges, "request"))
			e.numbers["request_ns"] = float64(s.each(s.phases[blockedIn+"throttled"]))
		}
		if home := cmp.Or(l.Unit, l.Container); home != "" {
			t.add(". ", "It runs in %s", home)
		}
		e.text = t.String()
		return e
	},
}
