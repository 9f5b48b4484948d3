// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// exchangeLog keeps the newest exchanges.
type exchangeLog struct {
	all  []model.Exchange // a ring once it is full
	next int
}

func (l *exchangeLog) add(m *model.Exchange, size int) {
	if len(l.all) < size {
		l.all = append(l.all, *m)
		return
	}
	l.all[l.next] = *m
	l.next = (l.next + 1) % size
}

// snapshot returns them, the newest first.
func (l *exchangeLog) snapshot() []model.Exchange {
	out := make([]model.Exchange, 0, len(l.all))
	for i := range l.all {
		out = append(out, l.all[(l.next+len(l.all)-1-i)%len(l.all)])
	}
	return out
}

// routeKey is what the exchanges of a route have in common.
type routeKey struct {
	listener                string
	protocol, method, route string
}

// routes sums up exchanges by route.
type routes struct {
	all       map[routeKey]*route
	perServer map[string]int
}

type route struct {
	key           routeKey
	count, errors uint64
	total, ttfb   distribution
	phases, marks parts
}

// parts are distributions by name.
type parts map[string]*distribution

func (p parts) add(all map[string]int64, size int) {
	for name, ns := range all {
		d := p[name]
		if d == nil {
			if len(p) >= maxPhases {
				continue
			}
			d = &distribution{}
			p[name] = d
		}
		d.add(ns, size)
	}
}

func (p parts) show() map[string]model.Distribution {
	out := make(map[string]model.Distribution, len(p))
	for name, d := range p {
		out[name] = d.snapshot()
	}
	return out
}

// otherRoute stands for all routes beyond the budget.
const otherRoute = "other"

func (r *routes) add(m *model.Exchange, b Budget) {
	if r.all == nil {
		r.all, r.perServer = map[routeKey]*route{}, map[string]int{}
	}
	k := routeKey{m.Server, m.Protocol, m.Method, m.Route}
	t := r.all[k]
	if t == nil && r.perServer[k.listener] >= b.Routes {
		k.method, k.route = "", otherRoute
		t = r.all[k]
	}
	if t == nil {
		if len(r.all) >= maxRoutes {
			return
		}
		t = &route{key: k, phases: parts{}, marks: parts{}}
		r.all[k] = t
		r.perServer[k.listener]++
	}
	t.add(m, b.Reservoir/4)
}

// maxRoutes bounds the routes of all servers together.
const maxRoutes = 5000

// serverOf is the address of the server that answered.
func serverOf(x *conn, m *model.Exchange) string {
	switch {
	case x.listener != nil && x.listener.local.IsValid():
		return addr(x.listener.local)
	case x.role == "client":
		return m.Remote
	}
	return m.Local
}

func (t *route) add(m *model.Exchange, size int) {
	t.count++
	if isError(m) {
		t.errors++
	}
	if m.TotalNS.Known {
		t.total.add(m.TotalNS.V, size)
		t.phases.add(m.Phases, size)
	}
	if m.TTFBNS.Known {
		t.ttfb.add(m.TTFBNS.V, size)
	}
	t.marks.add(m.Marks, size)
}

// maxPhases bounds the phases of one route: what threads are blocked on has many names.
const maxPhases = 40

// snapshot returns the routes, the busiest first.
func (r *routes) snapshot() []model.Route {
	out := make([]model.Route, 0, len(r.all))
	for k, t := range r.all {
		m := model.Route{
			Listener: k.listener, Protocol: k.protocol, Method: k.method, Route: k.route, Count: t.count, Errors: t.errors,
			TotalNS: t.total.snapshot(), TTFBNS: t.ttfb.snapshot(), Phases: t.phases.show(), Marks: t.marks.show(),
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b model.Route) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Listener, b.Listener), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.Method, b.Method), cmp.Compare(a.Route, b.Route))
	})
	return out
}

// RouteOf returns the path with what identifies single things replaced: segments of digits, UUIDs and eight or more
// hexadecimal digits become {id}.
func RouteOf(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if isID(p) {
			parts[i] = "{id}"
		}
	}
	return strings.Join(parts, "/")
}

func isID(s string) bool {
	digits, hex, dashes := 0, 0, 0
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
			hex++
		case c == '-':
			dashes++
		default:
			return false
		}
	}
	switch {
	case digits == len(s):
		return s != ""
	case dashes == 4 && len(s) == 36:
		return true
	}
	return dashes == 0 && digits+hex >= 8
}

// isError reports whether a request did not get what it asked for.
func isError(m *model.Exchange) bool { return m.Status >= 500 || m.Incomplete }

// served sums up the exchanges of all routes.
type served struct {
	rate          rate
	count, errors uint64
	total         distribution
}

func (s *served) add(m *model.Exchange, size int) {
	s.rate.add(m.TS, 1)
	s.count++
	if isError(m) {
		s.errors++
	}
	if m.TotalNS.Known {
		s.total.add(m.TotalNS.V, size)
	}
}

func (s *served) show(now int64) model.Requests {
	return model.Requests{Count: s.count, Errors: s.errors, PerSec: s.rate.perSecond(now), TotalNS: s.total.snapshot()}
}
