// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"beltrace/collector/model"
)

const (
	longWait = float64(5 * time.Millisecond) // a queue that is never empty is no trouble while each waits for less
	slowWait = 26                            // power of two, ns: 67 ms, which nobody should wait for
)

// slowAcceptor: somebody accepts, but connections wait long before it does.
var slowAcceptor = rule{
	id: "slow-acceptor",
	mechanism: "An established connection waits in the accept queue until a thread calls accept() (inet_csk_accept). The client is connected and may have sent its request; nobody has read it. " +
		"What the accepting thread does between two accepts is added to the wait of everyone in the queue.",
	listener: func(l *listener) *evidence {
		before := l.ago(window)
		accepted := grown(l.now.accepted, before.accepted)
		if l.State == model.StateClosed || !l.reaches(float64(accepted), 2) {
			return nil
		}
		w := l.waited(before)
		stuck := l.neverEmpty() && l.reaches(float64(w.p50), longWait)
		if !stuck && (!l.reaches(float64(w.slow), 3) || !l.reaches(float64(w.slow), float64(w.count)/100)) {
			return nil
		}
		e := &evidence{severity: model.Warning, numbers: l.queueNumbers(), remedy: l.remedy(), weight: float64(w.p50)}
		e.numbers["wait_p50_ns"], e.numbers["wait_p99_ns"] = float64(w.p50), float64(w.p99)
		var s sentence
		s.add("", "connections wait in the accept queue: p50 ≈%s, p99 ≈%s", dur(w.p50), dur(w.p99))
		if !w.measured {
			s.Reset()
			s.add("", "connections wait in the accept queue for ≈%s, by its length and the accepts per second", dur(w.p50))
			delete(e.numbers, "wait_p99_ns")
		}
		if l.AcceptQueue.Known {
			s.add("; ", "%s now", waits(uint64(l.AcceptQueue.V)))
		}
		s.add("; ", "%s/s arrive, %s/s are accepted", digits(l.rate(before.established, l.now.established, before.ts)), digits(l.rate(before.accepted, l.now.accepted, before.ts)))
		c := l.cause()
		if c.way != "" {
			e.numbers["between_share"] = c.share
		}
		if c.each > 0 {
			e.numbers["between_ns"] = float64(c.each)
		}
		s.add(". ", "%s", l.who())
		e.text = s.String()
		return e
	},
}

// rate returns how many a second there were of something since ts.
func (l *listener) rate(before, now uint64, ts int64) float64 {
	return float64(grown(now, before)) * 1e9 / float64(max(l.now.ts-ts, int64(time.Second)))
}

// neverEmpty reports whether the accept queue was found empty hardly ever in the last seconds.
func (l *listener) neverEmpty() bool {
	found, empty := 0, 0
	for m := range l.recent(window) {
		if m.depth.Known {
			found++
			if m.depth.V == 0 {
				empty++
			}
		}
	}
	return found >= 5 && l.within(float64(empty), float64(found)/10)
}

// recent yields the marks that are not older than d, oldest first, and now.
func (l *listener) recent(d time.Duration) iter.Seq[*mark] {
	return func(yield func(*mark) bool) {
		for i := range l.marks {
			if l.marks[i].ts >= l.now.ts-int64(d) && !yield(&l.marks[i]) {
				return
			}
		}
		yield(&l.now)
	}
}

// wait is how long connections waited in the last seconds.
type wait struct {
	p50, p99    int64
	count, slow uint64
	measured    bool // else it follows from Little's law
}

// waited summarises the waits since a mark, as exactly as powers of two allow.
func (l *listener) waited(before mark) (w wait) {
	var fresh [64]uint64
	for i, n := range l.now.waits {
		if i < len(before.waits) {
			n = grown(n, before.waits[i])
		}
		fresh[i] = n
		w.count += n
		if i >= slowWait {
			w.slow += n
		}
	}
	if w.count > 0 {
		w.measured = true
		longest := l.WaitNS.Max.Or(1 << 62) // none was longer
		w.p50, w.p99 = min(quantile(&fresh, w.count, 50), longest), min(quantile(&fresh, w.count, 99), longest)
		return w
	}
	if perSecond := l.rate(before.accepted, l.now.accepted, before.ts); perSecond > 0 && l.AcceptQueue.Known {
		w.p50 = int64(float64(l.AcceptQueue.V) / perSecond * 1e9)
	}
	return w
}

// quantile returns the value that p percent do not exceed, interpolated within its power of two.
func quantile(buckets *[64]uint64, count uint64, p float64) int64 {
	rank, below := float64(count)*p/100, 0.0
	for i, n := range buckets {
		if n > 0 && below+float64(n) >= rank {
			return int64((1 + (rank-below)/float64(n)) * float64(uint64(1)<<i))
		}
		below += float64(n)
	}
	return 0
}

// noDescriptor are the errors of accept that say that the process, or the host, has no room for one more descriptor.
var noDescriptor = []string{"EMFILE", "ENFILE", "ENOBUFS"}

// fdLimit: accept fails since there is no file descriptor left, or no memory for one.
var fdLimit = rule{
	id: "fd-limit",
	mechanism: "accept() needs a free file descriptor before it looks at the queue (get_unused_fd_flags). With none left it fails with EMFILE (the process is at RLIMIT_NOFILE) or ENFILE (the whole host is at fs.file-max), without memory for the socket with ENOBUFS, " +
		"and the connection stays where it is: the queue fills, and a loop that tries again at once spins. " +
		"An io_uring that accepts into its own table of files takes the connection first: with no room there the accept fails with ENFILE too, and the connection is closed (io_fixed_fd_install).",
	listener: func(l *listener) *evidence {
		recent := grown(l.now.fdErrors, l.ago(span).fdErrors)
		if recent == 0 {
			return nil
		}
		e := &evidence{severity: model.Critical, weight: float64(recent), numbers: map[string]float64{"errors": float64(l.now.fdErrors), "errors_10s": float64(recent)},
			remedy: "Raise the limit (LimitNOFILE= of its unit, ulimit -n), and look for descriptors that are never closed: ls -l /proc/PID/fd. After EMFILE close something, or pause, before the next accept."}
		var names []string
		open, limit := opt32{}, model.Opt[uint64]{}
		for _, name := range noDescriptor {
			if l.failed(name) > 0 {
				names = append(names, name)
			}
		}
		for _, a := range l.Acceptors {
			if a.OpenFDs.Known && a.OpenFDs.V >= open.V {
				open, limit, e.pid = a.OpenFDs, a.FDLimit, model.Some(a.PID)
			}
		}
		switch names[0] {
		case "ENFILE":
			e.remedy = "If the whole host has no file left (compare the first and the last number of cat /proc/sys/fs/file-nr), raise fs.file-max, and look for the process that has them. Else an io_uring accepts into a table of files of its own (a direct descriptor), and that is full: register a larger one, or close sooner what is done."
		case "ENOBUFS":
			e.remedy = "The kernel has no memory for the socket: look for what has it (cat /proc/net/sockstat, and slabtop), and whether the cgroup's memory.max is reached."
		}
		var s sentence
		s.add("", "accept failed %s in the last 10 s: %s", timesIn(recent), strings.Join(names, " and "))
		if open.Known {
			s.add(", ", "%s", descriptors(uint64(open.V), limit))
			e.numbers["open_fds"] = float64(open.V)
		}
		if limit.Known {
			e.numbers["fd_limit"] = float64(limit.V)
		}
		if l.AcceptQueue.V > 0 {
			s.add(". ", "%s meanwhile", waits(uint64(l.AcceptQueue.V)))
		}
		e.text = s.String()
		return e
	},
}

// failed returns how many accepts failed with that errno.
func (l *listener) failed(errno string) (n uint64) {
	for _, a := range l.Acceptors {
		n += a.Errors[errno]
	}
	return n + l.OtherAcceptors.Errors[errno]
}

// descriptors says how many there are. A limit bounds the numbers of new ones: what was open before it was set stays.
func descriptors(open uint64, limit model.Opt[uint64]) string {
	if !limit.Known {
		return fmt.Sprintf("%d file descriptors are open", open)
	}
	if open > limit.V {
		before := "1 was"
		if open > limit.V+1 {
			before = fmt.Sprintf("%d were", open-limit.V)
		}
		return fmt.Sprintf("%d file descriptors are open and the limit is %d: %s open before it was set", open, limit.V, before)
	}
	return fmt.Sprintf("%d of %d file descriptors are open", open, limit.V)
}

func timesIn(n uint64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
