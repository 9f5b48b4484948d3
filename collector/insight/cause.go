// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"beltrace/collector/model"
)

// window is how far back the causes look.
const window = 5 * time.Second

// Ways in which a thread spends its time.
const (
	running  = "running"
	runqueue = "run queue"
	blocked  = "blocked"
)

// cause is what an acceptor does between two accepts.
type cause struct {
	tid    uint32
	others int    // further acceptors of the listener
	apart  uint64 // of them, those that are only counted together
	way    string // the way in which it spends most of its time; "": not known
	in     string // what it is blocked in
	share  float64
	each   int64 // ns of that between two accepts; 0: not known
	failed bool  // it tries to accept, and has no descriptor left
	early  bool  // what it does while connections wait is not known
}

// cause looks at the acceptor that took most connections lately.
func (l *listener) cause() cause {
	before := l.ago(window)
	best, most := -1, uint64(0)
	for i, a := range l.Acceptors {
		if n := grown(a.Accepts, threadOf(before.threads, a.TID).accepts) + 1; n > most {
			best, most = i, n
		}
	}
	if best < 0 {
		return cause{}
	}
	a := l.Acceptors[best]
	c := cause{tid: a.TID, others: l.AcceptorCount() - 1, apart: l.OtherAcceptors.Threads, failed: l.now.fdErrors > before.fdErrors}
	if !a.Between.Known {
		return c
	}
	l.spent(&c, &a, before)
	return c
}

// spent finds in what most of the acceptor's time went: that between two accepts while connections waited, or all of it
// where it accepted nobody.
func (l *listener) spent(c *cause, a *model.Acceptor, before mark) {
	old := threadOf(before.threads, a.TID)
	all, n := a.Between.V.Since(old.times.V), grown(a.Accepts, old.accepts)
	if n == 0 {
		c.spend(all)
		return
	}
	pace := a.Pace.Since(old.pace)
	if c.early = !pace.Known(); c.early {
		return
	}
	c.spend(pace.Times)
	c.each = int64(c.share * float64(pace.Each(pace.WatchedNS)))
}

// threadOf finds a thread among those of a mark, which are in the order of their numbers.
func threadOf(all []thread, tid uint32) thread {
	if i, ok := slices.BinarySearchFunc(all, tid, func(t thread, tid uint32) int { return cmp.Compare(t.tid, tid) }); ok {
		return all[i]
	}
	return thread{}
}

// spend finds the way in which most of the time went.
func (c *cause) spend(t model.Times) {
	if t.WatchedNS <= 0 {
		return
	}
	most := t.RunningNS
	c.way = running
	if t.RunqueueNS > most {
		c.way, most = runqueue, t.RunqueueNS
	}
	for _, in := range slices.Sorted(maps.Keys(t.BlockedNS)) {
		if ns := t.BlockedNS[in]; ns > most {
			c.way, c.in, most = blocked, in, ns
		}
	}
	c.share = float64(most) / float64(t.WatchedNS)
}

// sleeps reports whether the thread is blocked in a call that only waits for time to pass.
func (c *cause) sleeps() bool { return c.way == blocked && strings.Contains(c.in, "nanosleep") }

// waitsForWork reports whether it is blocked where threads wait for something to do.
func (c *cause) waitsForWork() bool { return c.way == blocked && model.WaitsForWork(c.in) }

// who says who accepts, and what keeps that thread from accepting sooner.
func (l *listener) who() string {
	if len(l.Acceptors) == 0 {
		return "No thread was seen to accept"
	}
	c := l.cause()
	if c.failed || l.now.accepted == l.ago(window).accepted {
		return l.idleWho()
	}
	return c.between()
}

// between says what the thread does between two accepts.
func (c *cause) between() string {
	name := c.name()
	part := fmt.Sprintf("%s between two accepts (%.0f %% of its time)", dur(c.each), c.share*100)
	if c.each == 0 {
		part = fmt.Sprintf("%.0f %% of its time", c.share*100)
	}
	switch {
	case c.early:
		return name + " accepts; what it does between two accepts is not known"
	case c.way == "":
		return name + " accepts; what it does between two accepts is not known (its scheduling is not watched)"
	case c.sleeps():
		return fmt.Sprintf("%s accepts, then sleeps in %s: %s", name, c.in, part)
	case c.way == blocked:
		return fmt.Sprintf("%s accepts, then %s: %s", name, c.held(), part)
	case c.way == runqueue:
		return fmt.Sprintf("%s is ready to run but waits for a CPU: %s", name, part)
	}
	return fmt.Sprintf("%s accepts, then runs on a CPU: %s", name, part)
}

// held says what keeps the thread, which is not always a system call.
func (c *cause) held() string {
	switch c.in {
	case "stopped":
		return "is stopped (by a signal, or with its cgroup)"
	case "throttled":
		return "has used up its cgroup's CPU quota"
	case "page_fault":
		return "waits for a page of its memory"
	}
	return "is blocked in " + c.in
}

func (c *cause) name() string {
	if c.others == 0 {
		return fmt.Sprintf("tid %d", c.tid)
	}
	if c.apart > 0 {
		return fmt.Sprintf("tid %d (the busiest of %d of the %d acceptors)", c.tid, c.others+1-int(c.apart), c.others+1)
	}
	return fmt.Sprintf("tid %d (the busiest of %d acceptors)", c.tid, c.others+1)
}

// idleWho says what a thread that used to accept does now.
func (l *listener) idleWho() string {
	if len(l.Acceptors) == 0 {
		return "No thread was seen to accept"
	}
	c := l.cause()
	switch {
	case c.failed:
		return fmt.Sprintf("%s calls accept, and it fails for want of a file descriptor", c.name())
	case c.way == "":
		return fmt.Sprintf("%s used to accept; what it does now is not known (its scheduling is not watched)", c.name())
	case l.idle(c):
		return fmt.Sprintf("%s has accepted all that waited, and waits for more in %s", c.name(), c.in)
	case c.way == blocked:
		return fmt.Sprintf("%s, which used to accept, %s (%.0f %% of its time)", c.name(), c.held(), c.share*100)
	case c.way == runqueue:
		return fmt.Sprintf("%s, which used to accept, waits for a CPU (%.0f %% of its time)", c.name(), c.share*100)
	}
	return fmt.Sprintf("%s, which used to accept, runs on a CPU (%.0f %% of its time)", c.name(), c.share*100)
}

// idle reports whether the acceptor has nobody to accept, now and for the last seconds.
func (l *listener) idle(c cause) bool {
	return c.waitsForWork() && l.now.empty() && l.now.accepted == l.ago(window).accepted
}

// remedy says what to change, by what keeps the acceptor.
func (l *listener) remedy() string {
	c := l.cause()
	const more = " A larger backlog only makes clients wait longer when connections come faster than they are accepted; it helps against bursts."
	switch {
	case c.failed:
		return "Give the process more file descriptors (RLIMIT_NOFILE), or close those that it leaks."
	case c.sleeps():
		return fmt.Sprintf("Take the %s out of the accept loop.", c.in) + more
	case c.way == blocked && c.in == "stopped":
		return "Let it go on (kill -CONT; docker unpause, or 0 into its cgroup.freeze), and look for who stops it: a debugger, job control, a freezer."
	case c.way == blocked && c.in == "throttled":
		return "Raise the cgroup's CPU quota (cpu.max, CPUQuota= of its unit, the container's CPU limit), or give it less to do." + more
	case c.waitsForWork() && !l.idle(c):
		return "Accept until EAGAIN each time the listener is ready, and let more threads do so." + more
	case c.way == blocked && !l.idle(c):
		in := c.in
		if in == "futex" {
			in = "futex (a lock, a condition, or a sleep of a language's runtime)"
		}
		return fmt.Sprintf("Do not let the thread that accepts wait in %s: hand connections to other threads, or add acceptors.", in) + more
	case c.way == running:
		return "Move the work out of the accepting thread, or add acceptors (SO_REUSEPORT, or more threads in accept)." + more
	case c.way == runqueue:
		return "There are more threads ready to run than CPUs: give the process more CPU, or run fewer threads." + more
	}
	return "Accept faster: from more threads, or from one that does nothing else." + more
}
