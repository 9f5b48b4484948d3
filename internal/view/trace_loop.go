// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/event"
)

// waitWords says what a wait of an epoll loop brought.
func waitWords(e *event.Event) string {
	l := e.Loop
	out := []string{fmt.Sprintf("tid %d", e.TID), loopWord(e)}
	if e.Known(event.FieldReady) {
		ready := fmt.Sprintf("%d ready", l.Ready)
		if e.Known(event.FieldMax) {
			ready += fmt.Sprintf(" of at most %d", l.Max)
		}
		out = append(out, ready)
	}
	if e.Known(event.FieldErrno) {
		out = append(out, fmt.Sprintf("errno %d", e.Errno))
	}
	if e.Known(event.FieldInsideNS) {
		out = append(out, "waited "+Dur(l.InsideNS))
	}
	if e.Known(event.FieldTimeoutMS) && l.TimeoutMS >= 0 {
		out = append(out, fmt.Sprintf("timeout %d ms", l.TimeoutMS))
	}
	if e.Known(event.FieldBusyNS) {
		out = append(out, "busy "+Dur(l.BusyNS)+" before")
	}
	return strings.Join(out, "  ")
}

// loopWord names a loop by what it waits in.
func loopWord(e *event.Event) string {
	if e.Known(event.FieldEpFD) {
		return fmt.Sprintf("epfd %d", e.Loop.EpFD)
	}
	return Clean(e.Loop.LoopKind)
}

// loopWords says what a loop found so far.
func loopWords(e *event.Event) string {
	l := e.Loop
	if l == nil {
		return ""
	}
	out := []string{fmt.Sprintf("tid %d", e.TID), loopWord(e), Count(l.Waits) + " waits", Count(l.Empty) + " empty"}
	if all := l.InsideNS + l.BusyNS; all > 0 {
		out = append(out, "busy "+Share(float64(l.BusyNS)/float64(all)))
	}
	if e.Known(event.FieldSpurious) && l.Spurious > 0 {
		out = append(out, Count(l.Spurious)+" woken in vain")
	}
	if e.Known(event.FieldFDs) {
		out = append(out, Plural(int(l.FDs), "descriptor", "descriptors"))
	}
	if e.Known(event.FieldSockets) {
		out = append(out, Plural(int(l.Sockets), "socket", "sockets"))
	}
	if e.Known(event.FieldReadiedFDs) {
		out = append(out, Count(uint64(l.ReadiedFDs))+" became ready")
	}
	if e.Known(event.FieldAdded) && e.Known(event.FieldRemoved) {
		out = append(out, Count(l.Added)+" added", Count(l.Removed)+" removed")
	}
	return strings.Join(out, "  ")
}

// loopBlockedWords says in what a loop's thread slept, and what waited meanwhile.
func loopBlockedWords(e *event.Event) string {
	if e.Loop == nil || e.Turn == nil {
		return ""
	}
	text := fmt.Sprintf("tid %d  %s  slept %s in %s", e.TID, loopWord(e), Dur(e.Turn.OffNS), Clean(e.Turn.On))
	if e.Known(event.FieldCount) && e.Count > 1 {
		text += fmt.Sprintf(" and %s more", Plural(int(e.Count-1), "time", "times"))
	}
	return fmt.Sprintf("%s  %d ready behind it", text, e.Loop.Ready)
}
