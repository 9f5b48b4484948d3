// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"fmt"

	"beltrace/demos/demo"
)

// check is what a claim asks.
type check = func(demo.Seen) demo.Verdict

// pending is the verdict while evidence is incomplete; at the end it refutes.
func pending(s demo.Seen, e demo.Evidence, why string) demo.Verdict {
	if s.Done {
		return demo.Refute(e, why)
	}
	return demo.Wait(e)
}

// theCrowd returns a check of a crowd that came, was accepted, and is gone.
func theCrowd(decide func(demo.Seen, []stay) demo.Verdict) check {
	return func(s demo.Seen) demo.Verdict {
		all := stays(s, stepCrowd)
		if len(all) != Crowd {
			e := demo.Evidence{}.With("clients", int64(len(all)))
			return pending(s, e, fmt.Sprintf("%d clients were accepted and left, not %d", len(all), Crowd))
		}
		return decide(s, all)
	}
}

// acceptedBy proves how many threads, of how many processes, accepted the crowd.
func acceptedBy(threads, processes int) check {
	return theCrowd(func(s demo.Seen, all []stay) demo.Verdict {
		t, p := crews(acceptors(s, stepCrowd))
		e := demo.Evidence{}.With("clients", int64(len(all))).With("accepting_threads", int64(t)).With("processes", int64(p))
		if p != processes {
			return demo.Equal(e, "processes", p, processes)
		}
		return demo.Equal(e, "accepting threads", t, threads)
	})
}

// heldAtOnce proves how many clients of the crowd had been accepted at the same time at most.
func heldAtOnce(want int) check {
	return theCrowd(func(_ demo.Seen, all []stay) demo.Verdict {
		n := atOnce(all)
		e := demo.Evidence{}.With("accepted_at_once", int64(n)).With("clients", int64(len(all)))
		return demo.Equal(e, "accepted at once", n, want)
	})
}

// heldMoreThan proves that at some time more clients than that had been accepted and not yet left.
func heldMoreThan(least int) check {
	return theCrowd(func(_ demo.Seen, all []stay) demo.Verdict {
		n := atOnce(all)
		e := demo.Evidence{}.With("accepted_at_once", int64(n)).With("clients", int64(len(all)))
		if n <= least {
			return demo.Refute(e, fmt.Sprintf("no more than %d", least))
		}
		return demo.Prove(e)
	})
}

// answeredBy proves how many threads, of how many processes, wrote the answers to the crowd.
func answeredBy(threads, processes int) check {
	return func(s demo.Seen) demo.Verdict {
		all := answers(s, stepCrowd)
		t, p := crews(all)
		e := demo.Evidence{}.With("answers", int64(sum(all))).With("answering_threads", int64(t)).With("processes", int64(p))
		switch {
		case sum(all) < requests && s.Done && sum(all) > 0:
			return demo.Unable(fmt.Sprintf("%d of %d exchanges were seen whole, with their thread", sum(all), requests))
		case sum(all) < requests:
			return pending(s, e, "the answers were not seen")
		case p != processes:
			return demo.Equal(e, "processes", p, processes)
		}
		return demo.Equal(e, "answering threads", t, threads)
	}
}

// sleptIn proves that threads that accept, or answer, slept in those system calls for at least so much of their sleep.
func sleptIn(who role, percent int64, calls ...string) check {
	return func(s demo.Seen) demo.Verdict {
		all, in, threads := blocked(s, who, calls)
		e := demo.Evidence{}.With("asleep_ns", all).With("of_it_there_ns", in).With("threads", int64(threads))
		switch {
		case !s.Done:
			return demo.Wait(e)
		case all == 0:
			return demo.Unable("how the threads slept was not seen")
		case 100*in < percent*all:
			return demo.Refute(e, fmt.Sprintf("less than %d %% of their sleep", percent))
		}
		return demo.Prove(e)
	}
}

// thePair returns a check of the two clients of the first step.
func thePair(decide func(first, second stay, e demo.Evidence) demo.Verdict) check {
	return func(s demo.Seen) demo.Verdict {
		all := stays(s, stepPair)
		if len(all) < 2 {
			return pending(s, demo.Evidence{}.With("clients", int64(len(all))), "two clients were not accepted")
		}
		first, second := all[0], all[1]
		e := demo.Evidence{}.With("second_waited_ns", second.wait.V).With("first_stayed_ns", first.left-first.accepted)
		if !second.wait.Known {
			return demo.Unable("the second client's wait in the accept queue was not seen")
		}
		return decide(first, second, e)
	}
}

// checkSecondWaits proves that the second client was accepted only when the first had gone.
func checkSecondWaits() check {
	return thePair(func(first, second stay, e demo.Evidence) demo.Verdict {
		if second.accepted < first.left-slack {
			return demo.Refute(e, "it was accepted while the first was still there")
		}
		return demo.Prove(e)
	})
}

// checkSecondIsTaken proves that the second client was accepted while the first was still there.
func checkSecondIsTaken() check {
	return thePair(func(first, second stay, e demo.Evidence) demo.Verdict {
		if second.accepted >= first.left {
			return demo.Refute(e, "the first had gone when it was accepted")
		}
		return demo.Prove(e)
	})
}

// checkQueued proves that most of the crowd's time was spent in the accept queue: the median wait is longer than a client's
// stay.
func checkQueued() check {
	return theCrowd(func(_ demo.Seen, all []stay) demo.Verdict {
		var waits, took []int64
		for _, v := range all {
			if v.wait.Known {
				waits = append(waits, v.wait.V)
			}
			took = append(took, v.left-v.accepted)
		}
		e := demo.Evidence{}.With("wait_p50_ns", demo.Median(waits)).With("wait_max_ns", demo.Quantile(waits, 1)).
			With("served_in_p50_ns", demo.Median(took))
		switch {
		case len(waits) < Crowd:
			return demo.Unable("the wait of some clients was not seen")
		case demo.Median(waits) <= demo.Median(took):
			return demo.Refute(e, "they did not wait longer than it took to serve one")
		}
		return demo.Prove(e)
	})
}
