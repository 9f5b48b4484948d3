// SPDX-License-Identifier: Apache-2.0

package http1

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// decide looks at the requests of a step when all are there and the step is over.
func decide(step, want int, judge func(demo.Seen, model.Connection, []model.Exchange) demo.Verdict) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		conns, all := s.Served(step), s.Requests(step)
		e := demo.Evidence{}.With("connections", int64(len(conns))).With("requests", int64(len(all)))
		if _, _, over := s.Step(step); !over || len(conns) == 0 || len(all) < want {
			if v, unknown := demo.NoProtocol(all); s.Done && unknown && len(all) < want {
				return v
			}
			return s.Pending(e, fmt.Sprintf("%d requests were seen, not %d", len(all), want))
		}
		if len(conns) != 1 {
			return demo.Equal(e, "connections", len(conns), 1)
		}
		return judge(s, conns[0], all)
	}
}

var checkKept = decide(stepKeepAlive, Kept, func(s demo.Seen, c model.Connection, all []model.Exchange) demo.Verdict {
	accepts := 0
	if demo.Moment(&c, event.Accept) != 0 {
		accepts = 1
	}
	e := demo.Evidence{}.With("requests", int64(len(all))).With("connections", 1).With("accepts", int64(accepts))
	if accepts == 0 {
		return s.Pending(e, "it was not accepted")
	}
	return demo.Equal(e, "requests", len(all), Kept)
})

// checkTurns compares the moments of the server's kernel: a request's first byte against the answer before it.
var checkTurns = decide(stepKeepAlive, Kept, func(_ demo.Seen, _ model.Connection, all []model.Exchange) demo.Verdict {
	var pauses []int64
	for i := 1; i < len(all); i++ {
		pauses = append(pauses, all[i].Start-all[i-1].TS)
	}
	e := demo.Evidence{}.With("requests", int64(len(all))).With("pause_before_the_next_p50_ns", demo.Median(pauses))
	if demo.Quantile(pauses, 0) < 0 {
		return demo.Refute(e, "one came earlier")
	}
	return demo.Prove(e)
})

var checkOneRead = decide(stepPipelining, Pipelined, func(_ demo.Seen, c model.Connection, all []model.Exchange) demo.Verdict {
	together := 0
	for i := range all {
		if all[i].Start <= all[0].TS {
			together++
		}
	}
	e := demo.Evidence{}.With("requests", int64(len(all))).With("there_before_the_first_answer", int64(together)).With("read_calls", int64(c.ReadCalls.V))
	switch {
	case len(all) != Pipelined:
		return demo.Equal(e, "requests", len(all), Pipelined)
	case together != Pipelined:
		return demo.Refute(e, "some came later")
	case c.ReadCalls.V >= Pipelined:
		return demo.Refute(e, "they were read one by one")
	}
	return demo.Prove(e)
})

// checkOrder compares the order of the paths with the order of the answers' ends.
var checkOrder = decide(stepPipelining, Pipelined, func(_ demo.Seen, _ model.Connection, all []model.Exchange) demo.Verdict {
	inOrder := 0
	for i := range all {
		if all[i].Path == fmt.Sprintf("/slow/%d", i+1) && all[i].Status == 200 && (i == 0 || all[i].TS >= all[i-1].TS) {
			inOrder++
		}
	}
	e := demo.Evidence{}.With("answers_in_order", int64(inOrder)).With("requests", int64(len(all)))
	if v, unknown := demo.NoProtocol(all); unknown {
		return v
	}
	return demo.Equal(e, "answers in order", inOrder, Pipelined)
})

var checkHeadOfLine = decide(stepPipelining, Pipelined, func(s demo.Seen, _ model.Connection, all []model.Exchange) demo.Verdict {
	first, last := all[0].TotalNS.V, all[len(all)-1].TotalNS.V
	e := demo.Evidence{}.With("last_took_ns", last).With("first_took_ns", first).With("work_of_each_ns", int64(Work)).
		With("client_clock_ns", int64(s.Notes["last_answer_ns"]))
	switch {
	case !all[len(all)-1].TotalNS.Known:
		return demo.Unable("the last request was never answered")
	case last < int64(Pipelined*Work):
		return demo.Refute(e, "it took less than all of them one after the other")
	}
	return demo.Prove(e)
})

// checkPieces looks at the first answer of the step.
var checkPieces = decide(stepChunked, 2, func(_ demo.Seen, c model.Connection, all []model.Exchange) demo.Verdict {
	x := &all[0]
	after := x.TotalNS.V - x.TTFBNS.V
	e := demo.Evidence{}.With("first_byte_ns", x.TTFBNS.V).With("last_byte_ns", x.TotalNS.V).With("write_calls", int64(c.WriteCalls.V))
	switch {
	case !x.TTFBNS.Known:
		return demo.Unable("the moment of the first byte was not seen")
	case after < int64((Pieces-1)*Gap):
		return demo.Refute(e, "the last byte came sooner than it could be made")
	case c.WriteCalls.V < Pieces:
		return demo.Refute(e, "it was not written in pieces")
	}
	return demo.Prove(e)
})

var checkAgain = decide(stepChunked, 2, func(_ demo.Seen, _ model.Connection, all []model.Exchange) demo.Verdict {
	e := demo.Evidence{}.With("requests", int64(len(all))).With("connections", 1).With("pause_before_the_next_ns", all[1].Start-all[0].TS)
	return demo.Equal(e, "requests", len(all), 2)
})
