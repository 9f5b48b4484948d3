// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"
	"strings"

	"beltrace/collector/model"
)

// stackLines is how many functions of a stack are shown from the program's own on.
const stackLines = 5

// StackPIDs names the processes that serve what is open, if it is a request or a phase of one: those of its server. Where their threads sleep
// is worth asking.
func StackPIDs(s *model.Snapshot, key Key) []uint32 {
	if s == nil {
		return nil
	}
	var x *model.Exchange
	switch key.Kind {
	case ExchangeRecord:
		x = findExchange(s, key)
	case PhaseRecord, LaneRecord:
		x, _ = findPhase(s, key)
	}
	if x == nil {
		return nil
	}
	var out []uint32
	for i := range s.Exchanges {
		y := &s.Exchanges[i]
		if y.PID.Known && (y == x || y.Server != "" && y.Server == x.Server) && !slices.Contains(out, y.PID.V) {
			out = append(out, y.PID.V)
		}
	}
	return out
}

// stackSection shows where in its program the thread slept: for this request, or for the last one of its route of which that
// is known.
func stackSection(d *Detail, in Input, x *model.Exchange, width int) {
	of, when := x, ""
	if len(x.Stacks) == 0 {
		if of = sameRoute(in.Snap, x); of == nil {
			if !slices.ContainsFunc(phases(x), func(p phase) bool { return strings.HasPrefix(p.name, "app.blocked:") || p.name == "app.running" }) {
				return
			}
			d.section("CODE")
			d.wrap("Where in the program that was is asked for only while a request is open, live: not when this one came.", width)
			return
		}
		when = ", of the request that ended " + in.clock().Time(of.TS)
	}
	for _, p := range phases(of) {
		if stack := of.Stacks[p.name]; len(stack) > 0 {
			what := phaseText(p.name) + " " + Dur(p.ns) + when
			if p.name == "app.running" {
				what += ", in samples"
			}
			d.section("CODE  " + what)
			addStack(d, stack, width)
			if model.Stack(stack).Site() == "" && p.name != "app.running" {
				d.wrap(whyNotOwn(stack), width)
			}
		}
	}
}

// sameRoute is the last request of the same route with a stack.
func sameRoute(s *model.Snapshot, x *model.Exchange) (out *model.Exchange) {
	for i := range s.Exchanges {
		y := &s.Exchanges[i]
		if len(y.Stacks) > 0 && y.Server == x.Server && y.Method == x.Method && y.Route == x.Route && (out == nil || y.TS > out.TS) {
			out = y
		}
	}
	return out
}

// addStack shows a stack, the innermost function first; of what leads to the system call only that one.
func addStack(d *Detail, stack model.Stack, width int) {
	add := func(frame string, style Style) {
		function, place := model.CutFrame(Clean(frame))
		room := max(10, width-5-Width(place))
		d.add(Line{{"  " + head(shortName(function), room), style}, {"  " + place, Dim}})
	}
	own := slices.Index(stack, stack.Site())
	if own != 0 {
		add(stack[0], Dim)
	}
	if own > 0 { // what leads there; a library without frame pointers may hide its caller, too
		d.add(Styled("  …", Dim))
	}
	if own < 0 {
		return
	}
	for i, frame := range stack[own:min(own+stackLines, len(stack))] {
		style := Normal
		if i == 0 {
			style = Strong
		}
		add(frame, style)
	}
}

// whyNotOwn says why no function of the program itself is in the stack of a sleep.
func whyNotOwn(stack model.Stack) string {
	if slices.ContainsFunc(stack, func(frame string) bool { return strings.HasPrefix(frame, "runtime.") }) {
		return "This is Go's scheduler: the goroutine that waits is on no thread, so that its own stack is not seen."
	}
	return "What called it has no frame pointers (-fno-omit-frame-pointer keeps them): it is not known."
}

// shortName drops the directories of a Go function's package: net/http.(*conn).serve becomes http.(*conn).serve.
func shortName(function string) string {
	end := len(function)
	if i := strings.IndexAny(function, "(["); i >= 0 { // of types, which may have paths, too
		end = i
	}
	return function[strings.LastIndexByte(function[:end], '/')+1:]
}

// wrap adds a text in lines.
func (d *Detail) wrap(text string, width int) {
	for _, line := range Wrap(text, width-1) {
		d.add(Styled(line, Dim))
	}
}
