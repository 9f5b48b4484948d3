// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"slices"

	"beltrace/collector/model"
)

// FactTurn is the fact without which no exchange is seen, as a listener's fidelity names it.
const FactTurn = "turn"

// Requests returns the requests to the server that began during step n, and their answers, in the order in which they came.
func (s Seen) Requests(n int) []model.Exchange {
	from, to, _ := s.Step(n)
	var out []model.Exchange
	for i := range s.Exchanges {
		x := &s.Exchanges[i]
		if s.Server.Serves(x.Local) && x.Start >= from && x.Start < to {
			out = append(out, *x)
		}
	}
	slices.SortStableFunc(out, func(a, b model.Exchange) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Conn, b.Conn), cmp.Compare(a.Number, b.Number))
	})
	return out
}

// Pending is the verdict while evidence is incomplete. At the end it is that, and why says what is missing.
func (s Seen) Pending(e Evidence, why string) Verdict {
	if s.Done {
		return Refute(e, why)
	}
	return Wait(e)
}

// NoProtocol says that requests were seen, but not what they ask: their first bytes cannot be read here.
func NoProtocol(all []model.Exchange) (Verdict, bool) {
	unknown := len(all) > 0 && !slices.ContainsFunc(all, func(x model.Exchange) bool { return x.Protocol != "tcp" })
	return Unable("this kernel does not let a program read the first bytes of a message: its protocol is not known"), unknown
}

// Phases returns how long that phase took in each exchange; 0 where it has none.
func Phases(all []model.Exchange, names ...string) []int64 {
	var out []int64
	for i := range all {
		var ns int64
		for _, name := range names {
			ns += all[i].Phases[name]
		}
		out = append(out, ns)
	}
	return out
}

// Totals returns how long each exchange took that was answered.
func Totals(all []model.Exchange) []int64 {
	var out []int64
	for i := range all {
		if all[i].TotalNS.Known {
			out = append(out, all[i].TotalNS.V)
		}
	}
	return out
}
