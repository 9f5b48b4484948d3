// SPDX-License-Identifier: Apache-2.0

package requestresponse

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// countServed returns a check that compares the handshakes that the kernel completed in a step with the number that it must be.
func countServed(step, want int) func(demo.Seen) demo.Verdict {
	return func(s demo.Seen) demo.Verdict { return checkCount(s, step, want) }
}

func checkCount(s demo.Seen, step, want int) demo.Verdict {
	served := len(s.Served(step))
	e := demo.Evidence{}.With("requests", Requests).With("established", int64(served))
	if _, _, over := s.Step(step); !over {
		return demo.Wait(e)
	}
	return demo.Equal(e, "established", served, want)
}

func checkClosed(s demo.Seen) demo.Verdict {
	accepted, closed := 0, 0
	for _, c := range s.Served(stepClose) {
		if demo.Moment(&c, event.Accept) != 0 {
			accepted++
		}
		if c.State == model.StateClosed {
			closed++
		}
	}
	e := demo.Evidence{}.With("accepted", int64(accepted)).With("closed", int64(closed))
	if _, _, over := s.Step(stepClose); !over || closed < Requests && !s.Done {
		return demo.Wait(e)
	}
	if accepted != Requests {
		return demo.Equal(e, "accepted", accepted, Requests)
	}
	return demo.Equal(e, "closed", closed, Requests)
}

// checkBytes compares what the server's sockets received. A request with "Connection: close" is a little longer.
func checkBytes(s demo.Seen) demo.Verdict {
	bytesIn := func(step int) (total int64, known int) {
		for _, c := range s.Served(step) {
			if c.BytesIn.Known && c.State == model.StateClosed {
				total, known = total+int64(c.BytesIn.V), known+1
			}
		}
		return total, known
	}
	each, eachKnown := bytesIn(stepClose)
	kept, keptKnown := bytesIn(stepKeepAlive)
	e := demo.Evidence{}.With("bytes_in_by_one", kept).With("bytes_in_by_the_others", each)
	if eachKnown < Requests || keptKnown < 1 {
		if s.Done {
			return demo.Unable("the totals of some connections were not seen")
		}
		return demo.Wait(e)
	}
	if 10*kept < 7*each {
		return demo.Refute(e, "it carried fewer bytes")
	}
	return demo.Prove(e)
}

// checkPaid adds up what the kernel measured for each connection; it cannot be more than the client's own total.
func checkPaid(s demo.Seen) demo.Verdict {
	served := s.Served(stepClose)
	handshakes := demo.Known(served, func(c *model.Connection) model.Opt[int64] { return c.HandshakeNS })
	waits := demo.Known(served, func(c *model.Connection) model.Opt[int64] { return c.WaitNS })
	kept := s.Served(stepKeepAlive)
	paid, total := demo.Sum(handshakes)+demo.Sum(waits), int64(s.Notes["close_total_ns"])
	e := demo.Evidence{}.With("handshake_p50_ns", demo.Median(handshakes)).With("wait_p50_ns", demo.Median(waits)).
		With("paid", int64(len(waits))).With("paid_with_keep_alive", int64(len(kept))).
		With("in_all_ns", paid).With("client_total_ns", total)
	if _, _, over := s.Step(stepKeepAlive); !over || len(handshakes) < Requests || len(waits) < Requests {
		if s.Done {
			return demo.Refute(e, fmt.Sprintf("handshake of %d, wait of %d of %d connections were seen", len(handshakes), len(waits), Requests))
		}
		return demo.Wait(e)
	}
	if paid > total {
		return demo.Refute(e, "the kernel's times add up to more than the client's own clock says")
	}
	return demo.Prove(e)
}

// checkFaster compares how long the server waits for the next request, by the kernel's clock: from the end of one
// handler to the begin of the next. The median leaves out the moments when the machine did something else.
func checkFaster(s demo.Seen) demo.Verdict {
	fresh, kept := pauses(s)
	e := demo.Evidence{}.With("next_after_ns", demo.Median(kept)).With("on_a_new_connection_ns", demo.Median(fresh)).
		With("client_clock_ns", int64(s.Notes["kept_request_p50_ns"])).With("client_clock_new_ns", int64(s.Notes["new_request_p50_ns"])).
		With("client_cpu_ns", int64(s.Notes["kept_client_cpu_ns"])).With("client_cpu_new_ns", int64(s.Notes["new_client_cpu_ns"]))
	switch {
	case len(fresh) < Requests-1 || len(kept) < Requests: // nothing goes before the very first
		if s.Done {
			return demo.Unable(fmt.Sprintf("marks of %d of %d requests were seen", len(fresh)+len(kept)+1, 2*Requests))
		}
		return demo.Wait(e)
	case demo.Median(kept) < demo.Median(fresh):
		return demo.Prove(e)
	case demo.Quantile(kept, 0.25) < demo.Quantile(fresh, 0.75):
		return demo.Unable("this machine is too busy to compare: the times of both ways overlap")
	}
	return demo.Refute(e, "it is not sooner")
}

// pauses returns the times between the server's work on a request and on the next, by the way in which the next came.
func pauses(s demo.Seen) (fresh, kept []int64) {
	var ended int64
	for _, m := range s.MarksOf(stepCost, "handle") {
		switch {
		case m.End:
			ended = m.TS
		case ended == 0:
		case isKept(m.ID):
			kept = append(kept, m.TS-ended)
		default:
			fresh = append(fresh, m.TS-ended)
		}
	}
	return fresh, kept
}
