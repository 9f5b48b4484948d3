// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// turnText says which way how many bytes went, and by which call.
func (b *words) turnText(e *event.Event) {
	t := e.Turn
	if t == nil {
		return
	}
	verb := "read "
	if t.Direction == event.DirOut { // turn has set it for a single call, too
		verb = "wrote "
	}
	b.say(verb + size(e.Bytes))
	if t.Calls > 1 {
		b.say(plural(t.Calls, "call"))
	}
	if e.Known(event.FieldCall) {
		b.say(t.Call)
	}
	if e.Known(event.FieldLatencyNS) {
		b.say("took " + span(t.LatencyNS))
	}
}

func (b *words) readableText(e *event.Event) {
	if e.Known(event.FieldBytes) {
		b.say(size(e.Bytes) + " new")
	}
	if e.Turn != nil && e.Known(event.FieldUnread) {
		b.say(size(e.Turn.Unread) + " wait")
	}
}

func (b *words) offcpuText(e *event.Event) {
	t := e.Turn
	if t == nil {
		return
	}
	if t.OffNS == 0 && e.Thread != nil && e.Thread.RunqueueNS > 0 { // another thread had its turn
		b.say("waited " + span(e.Thread.RunqueueNS) + " for a CPU")
		return
	}
	b.say("slept " + span(t.OffNS))
	if t.On != "" {
		on := t.On
		if t.Target != "" {
			on += " " + t.Target
		}
		b.say("in " + on + at(t))
	}
}

// at names the program's own code; "" if it is not known.
func at(t *event.Moves) string {
	if t == nil {
		return ""
	}
	if site := model.Stack(t.Stack).Site(); site != "" {
		return " at " + site
	}
	return ""
}

func (b *words) exchangeText(e *event.Event) {
	r := e.Result
	if r == nil {
		return
	}
	b.say(r.Summary)
	if e.Known(event.FieldTotalNS) {
		b.say("took " + span(r.TotalNS))
	}
	most := ""
	for name, ns := range r.Phases {
		if most == "" || ns > r.Phases[most] || ns == r.Phases[most] && name < most {
			most = name
		}
	}
	if most != "" {
		b.say(most + " " + span(r.Phases[most]))
	}
	if r.Incomplete {
		b.say("cut off")
	}
}
