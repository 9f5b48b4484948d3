// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// work is what the connections of the service did: of its listeners that which served most; nil: nothing is known.
func (s *service) work() *model.Work {
	var out *model.Work
	for _, l := range s.listeners {
		if l.Work != nil && (out == nil || l.Work.Exchanges > out.Exchanges) {
			out = l.Work
		}
	}
	return out
}

// Stations of the belt, in the order in which a request passes them.
const (
	beltHandshake = iota
	beltAccept
	beltRead
	beltApp
	beltWrite
	beltStations
)

// belt is how long half of the requests take at each station.
func (s *service) belt() (out [beltStations]model.Opt[int64]) {
	out[beltHandshake], out[beltAccept] = s.top().HandshakeNS.P50, s.top().WaitNS.P50
	if w := s.work(); w != nil {
		out[beltRead], out[beltApp], out[beltWrite] = w.Read.P50, w.App.P50, w.Write.P50
	}
	return out
}

// station writes the time at a station, in bold where most time goes.
func (s *service) station(n int) Span {
	all := s.belt()
	style := Strong
	for i, t := range all {
		if i != n && t.Known && t.V >= all[n].Or(0) {
			style = Normal
		}
	}
	if !all[n].Known {
		style = Dim
	}
	return Span{optDur(all[n]), style}
}

// marked adds ! to a station in trouble.
func (s *service) marked(in Input, station string, line Line) Line {
	for _, l := range s.listeners {
		if trouble(in.Snap, l, station) {
			return append(line, Span{" !", Bad})
		}
	}
	return line
}

func serviceRead(in Input, s *service) Cell { return Line{s.station(beltRead)} }

// serviceWrite says 1 call where answers take no time between their first byte and their last.
func serviceWrite(in Input, s *service) Cell {
	line := Line{s.station(beltWrite)}
	if t := s.belt()[beltWrite]; t.Known && t.V == 0 {
		line[0].Text = "1 call"
	}
	return s.marked(in, atWrite, line)
}

// serviceApp shows how long the application takes, and which part of the request's time on the server that is.
func serviceApp(in Input, s *service) Cell {
	line := s.marked(in, atApplication, Line{s.station(beltApp)})
	if app, all := appTime(s.work()); all > 0 {
		line = append(line, Span{" " + strings.TrimRight(Bar(float64(app)/float64(all), 6), "▁"), Normal})
	}
	return line
}

// appTime returns what went to the application of the time that all requests took from their first byte on.
func appTime(w *model.Work) (app, all int64) {
	if w == nil {
		return 0, 0
	}
	for phase, ns := range w.Phases {
		switch phase {
		case "syn", "handshake", "accept_queue", "client_idle":
			continue
		}
		all += ns
		if strings.HasPrefix(phase, "app.") {
			app += ns
		}
	}
	return app, all
}

// serviceSpent says what the application's time went to: the two largest of running, waiting for a CPU, and blocked.
func serviceSpent(_ Input, s *service) Cell {
	app, _ := appTime(s.work())
	if app == 0 {
		return nil
	}
	parts := []struct {
		name string
		ns   int64
	}{{name: "run"}, {name: "rq"}, {name: "blk"}}
	for phase, ns := range s.work().Phases {
		switch {
		case phase == "app.running":
			parts[0].ns += ns
		case phase == "app.runqueue":
			parts[1].ns += ns
		case strings.HasPrefix(phase, "app.blocked:"):
			parts[2].ns += ns
		}
	}
	slices.SortStableFunc(parts, func(a, b struct {
		name string
		ns   int64
	}) int {
		return cmp.Compare(b.ns, a.ns)
	})
	var words []string
	for _, p := range parts[:2] {
		if percent := (200*p.ns + app) / (2 * app); percent > 0 {
			words = append(words, fmt.Sprintf("%s %d", p.name, percent))
		}
	}
	return Styled(strings.Join(words, " "), Dim)
}
