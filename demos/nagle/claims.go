// SPDX-License-Identifier: Apache-2.0

package nagle

import (
	"fmt"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// least is how long a delayed acknowledgement keeps a write back at least: Linux delays by 40 ms, less what has passed.
const least = int64(20e6)

// way is what was seen of one step.
type way struct {
	conn model.Connection
	all  []model.Exchange
}

// seen returns a step's connection and requests; no more than a verdict while they are not complete.
func seen(s demo.Seen, step int) (way, demo.Verdict, bool) {
	conns, all := s.Served(step), s.Requests(step)
	e := demo.Evidence{}.With("connections", int64(len(conns))).With("requests", int64(len(all)))
	if len(conns) != 1 || len(all) != Requests {
		return way{}, s.Pending(e, fmt.Sprintf("%d connections with %d requests were seen, not 1 with %d", len(conns), len(all), Requests)), false
	}
	if _, _, over := s.Step(step); !over || conns[0].State != model.StateClosed {
		return way{}, s.Pending(e, "the connection did not end"), false
	}
	return way{conns[0], all}, demo.Verdict{}, true
}

// writesEach proves how many calls wrote each answer.
func writesEach(step, want int) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		w, v, ok := seen(s, step)
		if !ok {
			return v
		}
		e := demo.Evidence{}.With("answers", int64(len(w.all))).With("write_calls", int64(w.conn.WriteCalls.V))
		if !w.conn.WriteCalls.Known {
			return demo.Unable("the calls were not counted")
		}
		return demo.Equal(e, "write calls", int(w.conn.WriteCalls.V), want*Requests)
	}
}

// checkHeld proves that Nagle's algorithm kept bytes of each answer back. The first ones of a connection may be
// acknowledged at once.
func checkHeld(s demo.Seen) demo.Verdict {
	w, v, ok := seen(s, stepTwoWrites)
	if !ok {
		return v
	}
	send := demo.Phases(w.all, "send")
	e := demo.Evidence{}.With("kept_back_p50_ns", demo.Median(send)).With("in_all_ns", w.conn.NagleNS.V).With("answers", Requests)
	switch {
	case !w.conn.NagleNS.Known:
		return demo.Refute(e, "nothing was kept back")
	case demo.Median(send) < least:
		return demo.Refute(e, "it was kept back for less")
	case w.conn.NagleNS.V < Requests/2*least:
		return demo.Refute(e, "it was kept back for another reason than Nagle's algorithm")
	}
	return demo.Prove(e)
}

// checkSend proves that most of the time between request and answer the answer was written and not sent.
func checkSend(s demo.Seen) demo.Verdict {
	w, v, ok := seen(s, stepTwoWrites)
	if !ok {
		return v
	}
	send, total := demo.Sum(demo.Phases(w.all, "send")), demo.Sum(demo.Totals(w.all))
	e := demo.Evidence{}.With("not_sent_ns", send).With("requests_in_all_ns", total)
	if 2*send < total {
		return demo.Refute(e, "it is less than half of the time")
	}
	return demo.Prove(e)
}

// checkFree proves that answers written in so many calls were not kept back.
func checkFree(step, calls int) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		w, v, ok := seen(s, step)
		if !ok {
			return v
		}
		e := demo.Evidence{}.With("write_calls", int64(w.conn.WriteCalls.V)).With("answers", Requests).With("kept_back_ns", w.conn.NagleNS.V)
		switch {
		case !w.conn.WriteCalls.Known:
			return demo.Unable("the calls were not counted")
		case int(w.conn.WriteCalls.V) != calls*Requests:
			return demo.Equal(e, "write calls", int(w.conn.WriteCalls.V), calls*Requests)
		case w.conn.NagleNS.V >= least:
			return demo.Refute(e, "bytes were kept back")
		}
		return demo.Prove(e)
	}
}

// checkFaster compares the median request of a step with that of the first one.
func checkFaster(step int) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		slow, v, ok := seen(s, stepTwoWrites)
		if !ok {
			return v
		}
		fast, v, ok := seen(s, step)
		if !ok {
			return v
		}
		a, b := demo.Median(demo.Totals(fast.all)), demo.Median(demo.Totals(slow.all))
		e := demo.Evidence{}.With("request_p50_ns", a).With("kept_back_p50_ns", b).
			With("client_clock_ns", int64(s.Notes[fmt.Sprintf("step%d_request_p50_ns", step)]))
		switch {
		case 2*a < b:
			return demo.Prove(e)
		case b < least: // the first step's claim says what is wrong
			return demo.Unable("nothing was kept back in the first step")
		}
		return demo.Refute(e, "it is more")
	}
}
