// SPDX-License-Identifier: Apache-2.0

package socketbuffers

import (
	"fmt"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// large is the large answer of a step: its exchange, and the server's socket.
type large struct {
	model.Exchange
	conn model.Connection
}

// find returns it when it is complete; else a verdict.
func find(s demo.Seen, step int) (large, demo.Verdict, bool) {
	all := s.Requests(step)
	for _, c := range s.Served(step) {
		if !c.BytesOut.Known || c.BytesOut.V < Size || c.State != model.StateClosed {
			continue
		}
		for _, x := range all {
			if x.Conn == c.Conn {
				return large{x, c}, demo.Verdict{}, true
			}
		}
	}
	e := demo.Evidence{}.With("requests", int64(len(all)))
	return large{}, s.Pending(e, "the large answer was not seen whole"), false
}

func with(step int, judge func(demo.Seen, large) demo.Verdict) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		x, v, ok := find(s, step)
		if !ok {
			return v
		}
		return judge(s, x)
	}
}

var checkQuick = with(stepQuick, func(s demo.Seen, x large) demo.Verdict {
	e := demo.Evidence{}.With("took_ns", x.TotalNS.V).With("bytes", int64(x.conn.BytesOut.V)).With("write_calls", int64(x.conn.WriteCalls.V)).
		With("client_clock_ns", int64(s.Notes["quick_total_ns"]))
	switch {
	case !x.TotalNS.Known:
		return demo.Unable("the request was never answered")
	case x.TotalNS.V < int64(Asleep):
		return demo.Prove(e)
	case x.conn.WindowNS.V < x.TotalNS.V/2:
		return demo.Unable(fmt.Sprintf("this machine is too slow: the whole answer took %d ms although somebody read", x.TotalNS.V/1e6))
	}
	return demo.Refute(e, "it took longer")
})

var checkWindow = with(stepSlow, func(_ demo.Seen, x large) demo.Verdict {
	e := demo.Evidence{}.With("window_full_ns", x.conn.WindowNS.V).With("client_slept_ns", int64(Asleep)).With("took_ns", x.TotalNS.V)
	if x.conn.WindowNS.V < int64(Asleep)*6/10 {
		return demo.Refute(e, "it was full for less")
	}
	return demo.Prove(e)
})

var checkStood = with(stepSlow, func(s demo.Seen, x large) demo.Verdict {
	stood := demo.Sum(demo.Phases([]model.Exchange{x.Exchange}, "write", "send"))
	e := demo.Evidence{}.With("writing_and_sending_ns", stood).With("write_calls", int64(x.conn.WriteCalls.V))
	if quick, _, ok := find(s, stepQuick); ok {
		e = e.With("of_the_quick_client_ns", demo.Sum(demo.Phases([]model.Exchange{quick.Exchange}, "write", "send")))
	}
	if stood < int64(Asleep)*6/10 {
		return demo.Refute(e, "they did not")
	}
	return demo.Prove(e)
})

var checkAll = with(stepSlow, func(_ demo.Seen, x large) demo.Verdict {
	e := demo.Evidence{}.With("bytes_out", int64(x.conn.BytesOut.V)).With("retransmits", int64(x.conn.Retransmits.V))
	if x.Incomplete {
		return demo.Refute(e, "the answer is not complete")
	}
	return demo.Prove(e)
})

// checkOthers counts the small answers that were over while the large one was under way.
var checkOthers = with(stepOther, func(s demo.Seen, x large) demo.Verdict {
	meanwhile, times := 0, []int64{}
	for _, o := range s.Requests(stepOther) {
		if o.Conn != x.Conn && o.Start > x.Start && o.TS < x.TS {
			meanwhile++
			if o.TotalNS.Known {
				times = append(times, o.TotalNS.V)
			}
		}
	}
	e := demo.Evidence{}.With("answered_meanwhile", int64(meanwhile)).With("each_p50_ns", demo.Median(times)).With("the_slow_one_took_ns", x.TotalNS.V)
	if meanwhile < Others {
		return s.Pending(e, "some were answered later")
	}
	return demo.Equal(e, "answered meanwhile", meanwhile, Others)
})
