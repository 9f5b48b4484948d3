// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

func findRing(s *model.Snapshot, key Key) *model.Ring {
	for i := range s.Rings {
		if r := &s.Rings[i]; ringKey(ringRow{Ring: r}) == key {
			return r
		}
	}
	return nil
}

// ringOf returns the ring that a finding is about, nil if it is about none.
func ringOf(s *model.Snapshot, f *model.Finding) *model.Ring {
	for i := range s.Rings {
		if r := &s.Rings[i]; f.PID == model.Some(r.PID) && f.Subject == fmt.Sprintf("%s %d ring %d", r.Comm, r.PID, r.Ring) {
			return r
		}
	}
	return nil
}

// ringThatServed returns the ring that moved a request's bytes: of the rings of its process that receive or send that of the
// thread that read it, or the only one. nil: which is not known.
func ringThatServed(s *model.Snapshot, x *model.Exchange) *model.Ring {
	var all, own []*model.Ring
	for i := range s.Rings {
		r := &s.Rings[i]
		if x.PID != model.Some(r.PID) || r.State == model.StateClosed || r.Ops["recv"].Count+r.Ops["recvmsg"].Count+r.Ops["send"].Count+r.Ops["sendmsg"].Count == 0 {
			continue
		}
		all = append(all, r)
		if x.TID.Known && r.TID == x.TID {
			own = append(own, r)
		}
	}
	switch {
	case len(own) == 1:
		return own[0]
	case len(own) == 0 && len(all) == 1:
		return all[0]
	}
	return nil
}

// ringLink leads from a request to the ring that served it.
func ringLink(d *Detail, in Input, x *model.Exchange) {
	if found := ringThatServed(in.Snap, x); found != nil {
		d.link(Line{{pad("io_uring", factName), Dim}, {Clean(found.Comm) + " ", Strong}, {fmt.Sprintf("%d ring %d", found.PID, found.Ring), Normal}, {"  Enter opens it", Dim}}, ringKey(ringRow{Ring: found}))
	}
}

func openRing(in Input, r *model.Ring, width int) *Detail {
	d := &Detail{Title: Line{{Clean(r.Comm) + " ", Strong}, {fmt.Sprintf("%d ring %d", r.PID, r.Ring), Normal}, {"  " + cmp.Or(r.State, "open"), Dim}}}
	d.fact("queues", Span{optExact(r.SQEntries) + " submissions, " + optExact(r.CQEntries) + " completions", Normal})
	if r.Setup != "" {
		d.fact("set up with", Span{strings.ReplaceAll(Clean(r.Setup), ",", ", "), Normal})
	}
	if r.TID.Known {
		d.fact("used by", Span{fmt.Sprintf("tid %d", r.TID.V), Strong}, Span{"  which submitted last", Dim})
	}
	d.fact("in flight", Span{optCount(r.InFlight), Strong})
	d.fact("per call", Span{batchWords(r.Submits, "submission", "submissions"), Normal})
	d.fact("taken", Span{batchWords(r.Reaps, "completion", "completions"), Normal}, Span{"  between two calls", Dim})
	d.fact("overflow", ringOverflow(in, ringRow{Ring: r})...)
	did := in.Hist.ringDid(in.Snap.TS, r)
	lately := Line{ringRate(did)[0], {"/s  ", Normal}}
	if did.count > 0 {
		lately = append(lately, Span{howWords(did.how, did.count) + "  ", Normal})
	}
	d.fact("lately", append(lately, Span{"in " + Dur(did.ns), Dim})...)
	d.section("OPERATIONS SINCE IT IS WATCHED")
	names := ringOpNames(r)
	if len(names) == 0 {
		d.add(Styled("none yet", Dim))
	}
	if len(names) > 0 {
		d.add(Styled(opLine("", "DONE", "FAILED", "P50", "P99", "MAX", "HOW"), Dim))
	}
	for _, name := range names {
		o := r.Ops[name]
		d.add(Line{{opLine(Clean(name), Count(o.Count), Count(o.Errors), optDur(o.LatencyNS.P50), optDur(o.LatencyNS.P99), optDur(o.LatencyNS.Max), howWords(o.How, o.Count)), Normal}})
		if words := opWords(o); words != "" {
			d.add(Styled("  "+words, Dim))
		}
	}
	servedSection(d, in, func(x *model.Exchange) bool { return ringThatServed(in.Snap, x) == r })
	for _, name := range names {
		if o := r.Ops[name]; o.LatencyNS.Count > 0 {
			sampled := ""
			if o.Sampled {
				sampled = ", A RANDOM SAMPLE"
			}
			distributionSection(d, strings.ToUpper(Clean(name))+", FROM SUBMISSION TO COMPLETION"+sampled, o.LatencyNS, width)
		}
	}
	return d
}

// ringOpNames are the operations of a ring, the most frequent first.
func ringOpNames(r *model.Ring) []string {
	names := sortedKeys(r.Ops)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(r.Ops[b].Count, r.Ops[a].Count) })
	return names
}

func opLine(name, done, failed, p50, p99, most, how string) string {
	return fmt.Sprintf("%-14s %7s %7s %9s %9s %9s  %s", name, done, failed, p50, p99, most, how)
}

// howWords says in which ways so many completions came.
func howWords(how map[string]uint64, count uint64) string {
	var out []string
	rest := count
	for _, name := range []string{"inline", "poll", "io-wq"} {
		if n := how[name]; n > 0 && count > 0 {
			out = append(out, name+" "+Share(float64(n)/float64(count)))
			rest -= min(n, rest)
		}
	}
	if rest > 0 {
		out = append(out, "other "+Share(float64(rest)/float64(count)))
	}
	return strings.Join(out, ", ")
}

// opWords says what is special about an operation's submissions.
func opWords(o model.RingOp) string {
	var out []string
	for _, p := range []struct {
		n    uint64
		what string
	}{
		{o.More, "completions of a multishot that went on"}, {o.Linked, "linked to the next one"}, {o.Fixed, "on a registered file"}, {o.Direct, "accepts without a descriptor"},
	} {
		if p.n > 0 {
			out = append(out, Count(p.n)+" "+p.what)
		}
	}
	return strings.Join(out, ", ")
}

func batchWords(b model.Batches, one, many string) string {
	if b.Count == 0 {
		return None
	}
	return fmt.Sprintf("%.1f on average: %s in %s", b.Mean(), Plural(int(b.Sum), one, many), Plural(int(b.Count), "call", "calls"))
}

// explainRingNow says what the ring does most.
func explainRingNow(in Input, r *model.Ring) string {
	did := in.Hist.ringDid(in.Snap.TS, r)
	switch {
	case r.State == model.StateClosed:
		return "This ring is closed: what was in flight has been cancelled (io_ring_ctx_wait_and_kill). " + explainRing
	case r.Overflow.V > 0:
		return fmt.Sprintf("%s found the completion queue full and were kept in memory until there was room (io_cqring_event_overflow): the application takes them too slowly, or the queue is too small for what is in flight.",
			Plural(int(r.Overflow.V), "completion", "completions"))
	case did.share("io-wq") >= 0.1:
		return fmt.Sprintf("%s of its operations were done by worker threads of the kernel (io-wq): each costs two switches of threads, as a thread pool would. An operation goes there when its file cannot be waited for, or when the submission asks for it (IOSQE_ASYNC).", Share(did.share("io-wq")))
	case did.count == 0:
		return "Nothing was completed lately. " + explainInFlight
	}
	return explainHow
}
