// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import (
	"fmt"
	"slices"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// pending is the verdict while evidence is incomplete; at the end it refutes.
func pending(s demo.Seen, e demo.Evidence, why string) demo.Verdict {
	if s.Done {
		return demo.Refute(e, why)
	}
	return demo.Wait(e)
}

// checkFull compares how long the queue became before the next accept, by every entry and every accept, with the backlog.
// Later it may be longer for a moment: the kernel compares and adds without a lock, and the final ACKs of two clients that
// come for one free place may be taken in by two CPUs at once.
func checkFull(s demo.Seen) demo.Verdict {
	all, l := visits(s), s.Listener()
	if l == nil || !l.Backlog.Known {
		return pending(s, demo.Evidence{}.With("waiting_at_most", int64(deepest(all))), "the listener's backlog was not seen")
	}
	want := places(s)
	_, next := full(all, want)
	most := deepest(slices.DeleteFunc(slices.Clone(all), func(v visit) bool { return next != 0 && v.in >= next }))
	e := demo.Evidence{}.With("waiting_at_most", int64(most)).With("backlog", int64(l.Backlog.V))
	if l.BacklogAsked.Known && int(l.BacklogAsked.V) >= want { // capped by net.core.somaxconn
		e = e.With("backlog_asked", int64(l.BacklogAsked.V))
	}
	if sampled, ok := sample(l, s.Steps, next); ok {
		e = e.With("sampled_at_most", sampled)
	}
	if next == 0 {
		return pending(s, e, "it was not full until an accept")
	}
	return demo.Equal(e, "waiting at most", most, want)
}

// sample returns the longest that a sample of this run found the queue before next.
func sample(l *model.Listener, steps []int64, next int64) (most int64, ok bool) {
	for _, q := range l.History {
		if q.AcceptQueue.Known && len(steps) > 0 && q.TS >= steps[0] && q.TS < next {
			most, ok = max(most, int64(q.AcceptQueue.V)), true
		}
	}
	return most, ok
}

// checkWaited compares the time that connect took, in the kernel, with the time in the queue that followed.
func checkWaited(s demo.Seen) demo.Verdict {
	var longest, wait int64
	waited := 0
	for _, c := range s.Served(stepFill) {
		if c.WaitNS.Known {
			wait, waited = max(wait, c.WaitNS.V), waited+1
		}
	}
	connects := demo.Known(s.Dialled(stepFill), func(c *model.Connection) model.Opt[int64] { return c.HandshakeNS })
	for _, ns := range connects {
		longest = max(longest, ns)
	}
	e := demo.Evidence{}.With("connect_p50_ns", demo.Median(connects)).With("longest_wait_ns", wait).
		With("longest_connect_ns", longest).With("connects", int64(len(connects))).With("waits", int64(waited))
	switch all := 1 + places(s); {
	case len(connects) < all || waited < all:
		return pending(s, e, fmt.Sprintf("%d connections were made", all))
	case longest >= wait:
		return demo.Refute(e, "a connect took longer than every wait")
	case wait < int64(Work):
		return demo.Refute(e, "nobody waited that long")
	}
	return demo.Prove(e)
}

// checkRefused counts who knocked and who was let in from the moment when the queue was full until the next accept.
func checkRefused(s demo.Seen) demo.Verdict {
	all := visits(s)
	from, to := full(all, places(s))
	knocks, in := 0, 0
	within := func(at int64) bool { return at > from && at < to }
	for _, k := range knockers(s) {
		if within(k.connect) {
			knocks++
		}
		for _, at := range k.again {
			if within(at) {
				knocks++
			}
		}
	}
	for _, v := range all {
		if within(v.in) {
			in++
		}
	}
	e := demo.Evidence{}.With("syns_sent", int64(knocks)).With("let_in", int64(in)).
		With("full_for_ns", to-from)
	switch {
	case from == 0 || to == 0:
		return pending(s, demo.Evidence{}.With("waiting_at_most", int64(deepest(all))), "the queue was not full until an accept")
	case knocks == 0:
		return pending(s, e, "nobody knocked")
	case in > 0:
		return demo.Refute(e, "somebody was let in")
	}
	return demo.Prove(e)
}

// reasonFull is the reason of a SYN that found the accept queue full.
const reasonFull = "accept_queue_full"

// checkCounted compares the SYNs that were not answered with the listener's refusals of SYNs.
func checkCounted(s demo.Seen) demo.Verdict {
	l := s.Listener()
	if l == nil {
		return pending(s, nil, "the listener was not seen")
	}
	var refused, full uint64
	for reason, n := range l.SYNDrops {
		n -= min(n, l.ACKDrops[reason])
		refused += n
		if reason == reasonFull {
			full = n
		}
	}
	sent := inVain(s)
	e := demo.Evidence{}.With("refused", int64(refused)).With("sent_in_vain", int64(sent)).With("final_acks_refused", int64(l.ACKDrops[reasonFull]))
	exact := l.Fidelity["syn_drops"] == model.Exact
	if exact {
		e = e.With("accept_queue_full", int64(full))
	}
	switch _, ready := settled(s); {
	case !ready || refused < uint64(sent):
		return pending(s, e, "the counts differ")
	case exact && full != refused:
		return demo.Refute(e, "some were refused for another reason")
	}
	return demo.Equal(e, "refused", int(refused), sent)
}

// checkAgain measures the time from connect to the first repetition of its SYN.
func checkAgain(s demo.Seen) demo.Verdict {
	all, ready := settled(s)
	again, syns := 0, 0
	var soonest int64
	for _, k := range all {
		if len(k.again) == 0 {
			continue
		}
		again, syns = again+1, syns+len(k.again)
		if after := k.again[0] - k.connect; soonest == 0 || after < soonest {
			soonest = after
		}
	}
	e := demo.Evidence{}.With("first_again_after_ns", soonest).With("clients", int64(again)).With("syns_sent_again", int64(syns))
	switch {
	case !ready:
		return pending(s, e, fmt.Sprintf("%d clients knocked, and not all were let in or gave up", len(all)))
	case again < Knocking-Impatient:
		return demo.Refute(e, "a client that waited did not send its SYN again")
	case soonest < int64(retry):
		return demo.Refute(e, "it came sooner")
	}
	return demo.Prove(e)
}

// checkGaveUp counts the clients that closed their socket before the kernel had connected it.
func checkGaveUp(s demo.Seen) demo.Verdict {
	all, ready := settled(s)
	gaveUp := 0
	var after int64
	for _, k := range all {
		if k.established == 0 && k.closed != 0 {
			gaveUp++
			after = max(after, k.closed-k.connect)
		}
	}
	e := demo.Evidence{}.With("gave_up", int64(gaveUp)).With("after_ns", after).With("knocked", int64(len(all)))
	if !ready {
		return pending(s, e, fmt.Sprintf("%d clients knocked, and not all were let in or gave up", len(all)))
	}
	return demo.Equal(e, "gave up", gaveUp, Impatient)
}

// checkDrained compares how long the mended acceptor took for all who waited with the slow one's first two accepts.
func checkDrained(s demo.Seen) demo.Verdict {
	all := visits(s)
	mended, taken := int64(s.Notes[mendedNote]), accepts(all)
	waiting, left := 0, 0
	var last int64
	for _, v := range all {
		if v.in >= mended || v.out != 0 && v.out < mended {
			continue
		}
		waiting++
		if v.out == 0 {
			left++
		}
		last = max(last, v.out)
	}
	if mended == 0 || waiting == 0 || left > 0 || len(taken) < 2 {
		return pending(s, demo.Evidence{}.With("waiting", int64(waiting)), "not all who waited were accepted by the mended acceptor")
	}
	drained, one := last-mended, taken[1]-taken[0]
	e := demo.Evidence{}.With("emptied_in_ns", drained).With("one_client_took_ns", one).With("waiting", int64(waiting))
	if drained >= one {
		return demo.Refute(e, "it took as long")
	}
	return demo.Prove(e)
}

// checkLate measures how long connect took for those that were refused first.
func checkLate(s demo.Seen) demo.Verdict {
	all, ready := settled(s)
	var late []int64
	for _, k := range all {
		if k.established != 0 && k.took.Known {
			late = append(late, k.took.V)
		}
	}
	first := demo.Known(s.Dialled(stepFill), func(c *model.Connection) model.Opt[int64] { return c.HandshakeNS })
	e := demo.Evidence{}.With("connect_p50_ns", demo.Median(late)).With("before_p50_ns", demo.Median(first)).
		With("clients", int64(len(late)))
	switch {
	case !ready || len(late) < Knocking-Impatient:
		return pending(s, e, fmt.Sprintf("%d patient clients were to be connected", Knocking-Impatient))
	case demo.Quantile(late, 0) < int64(retry):
		return demo.Refute(e, "one was connected sooner")
	}
	return demo.Prove(e)
}
