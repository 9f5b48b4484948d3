// SPDX-License-Identifier: Apache-2.0

package requestcost

import (
	"fmt"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// decide looks at the requests of a step and their connection, when all are there.
func decide(step int, judge func(demo.Seen, model.Connection, []model.Exchange) demo.Verdict) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict {
		conns, all := s.Served(step), s.Requests(step)
		e := demo.Evidence{}.With("connections", int64(len(conns))).With("requests", int64(len(all)))
		if _, _, over := s.Step(step); !over || len(conns) != 1 || len(all) != Requests || conns[0].State != model.StateClosed {
			return s.Pending(e, fmt.Sprintf("%d connections with %d requests were seen, not 1 with %d", len(conns), len(all), Requests))
		}
		if !conns[0].ReadCalls.Known {
			return demo.Unable("the calls were not counted")
		}
		return judge(s, conns[0], all)
	}
}

// reads is the evidence about reads.
func reads(c model.Connection) demo.Evidence {
	return demo.Evidence{}.With("read_calls", int64(c.ReadCalls.V)).With("requests", Requests).With("bytes", int64(c.BytesIn.V))
}

var checkOneRead = decide(stepOnePiece, func(_ demo.Seen, c model.Connection, _ []model.Exchange) demo.Verdict {
	return demo.Equal(reads(c), "read calls", int(c.ReadCalls.V), Requests)
})

// checkManyReads: a slow server finds more than one piece now and then.
var checkManyReads = decide(stepPieces, func(_ demo.Seen, c model.Connection, _ []model.Exchange) demo.Verdict {
	if c.ReadCalls.V < 2*Requests {
		return demo.Refute(reads(c), "fewer than two reads each")
	}
	return demo.Prove(reads(c))
})

var checkWaited = decide(stepPieces, func(_ demo.Seen, _ model.Connection, all []model.Exchange) demo.Verdict {
	read := demo.Phases(all, "waiting", "wakeup", "runqueue", "read", "unobserved")
	e := demo.Evidence{}.With("until_read_p50_ns", demo.Median(read)).With("request_p50_ns", demo.Median(demo.Totals(all)))
	if demo.Median(read) < int64((Pieces-1)*Gap)*3/4 { // the first byte may be a little late, too
		return demo.Refute(e, "the last byte was there sooner than the client wrote it")
	}
	return demo.Prove(e)
})

var checkLargeReads = decide(stepLarge, func(_ demo.Seen, c model.Connection, _ []model.Exchange) demo.Verdict {
	if want := Lines * LineLength / Buffer; c.ReadCalls.V < uint64(want*Requests) {
		return demo.Refute(reads(c), fmt.Sprintf("fewer than %d each", want))
	}
	return demo.Prove(reads(c))
})

// parses returns how long the server parsed each request of a step.
func parses(s demo.Seen, step int) (times []int64) {
	begun := map[uint64]int64{}
	for _, m := range s.MarksOf(step, "parse") {
		if !m.End {
			begun[m.ID] = m.TS
		} else if from, ok := begun[m.ID]; ok {
			times = append(times, m.TS-from)
		}
	}
	return times
}

var checkParsed = decide(stepOnePiece, func(s demo.Seen, _ model.Connection, _ []model.Exchange) demo.Verdict {
	times := parses(s, stepOnePiece)
	e := demo.Evidence{}.With("parsed", int64(len(times))).With("parse_p50_ns", demo.Median(times))
	if len(times) < Requests {
		return s.Pending(e, "marks are missing")
	}
	return demo.Equal(e, "parsed", len(times), Requests)
})

var checkLargeParse = decide(stepLarge, func(s demo.Seen, _ model.Connection, _ []model.Exchange) demo.Verdict {
	small, big := parses(s, stepOnePiece), parses(s, stepLarge)
	e := demo.Evidence{}.With("parse_p50_ns", demo.Median(big)).With("parse_small_p50_ns", demo.Median(small)).
		With("client_clock_ns", int64(s.Notes["step2_request_p50_ns"])).With("client_clock_small_ns", int64(s.Notes["step0_request_p50_ns"]))
	switch {
	case len(big) < Requests || len(small) < Requests:
		return s.Pending(e, "marks are missing")
	case demo.Median(big) >= 2*demo.Median(small):
		return demo.Prove(e)
	case demo.Quantile(big, 0.25) < demo.Quantile(small, 0.75) && demo.Quantile(small, 0.25) < demo.Quantile(big, 0.75):
		return demo.Unable("this machine is too busy to compare: the times overlap")
	}
	return demo.Refute(e, "it takes less")
})
