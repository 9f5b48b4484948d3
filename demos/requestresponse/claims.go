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

// checkFaster compares how long the server waits from one request's begin to the next, by the kernel's clock. The
// median leaves out the moments when the machine did something else.
func checkFaster(s demo.Seen) demo.Verdict {
	closing := demo.Gaps(s.MarkTimes(stepClose, "handle", demo.Begin))
	kept := demo.Gaps(s.MarkTimes(stepKeepAlive, "handle", demo.Begin))
	e := demo.Evidence{}.With("request_every_ns", demo.Median(kept)).With("without_keep_alive_every_ns", demo.Median(closing)).
		With("client_clock_ns", int64(s.Notes["keep_alive_request_p50_ns"])).With("client_clock_without_ns", int64(s.Notes["close_request_p50_ns"])).
		With("client_cpu_ns", int64(s.Notes["keep_alive_client_cpu_ns"])).With("client_cpu_without_ns", int64(s.Notes["close_client_cpu_ns"]))
	if len(closing) < Requests-1 || len(kept) < Requests-1 {
		if s.Done {
			return demo.Unable(fmt.Sprintf("%d and %d of %d marks were kept", len(closing)+1, len(kept)+1, Requests))
		}
		return demo.Wait(e)
	}
	if demo.Median(kept) >= demo.Median(closing) {
		return demo.Refute(e, "it is not sooner")
	}
	return demo.Prove(e)
}
