// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// bytesWords says how many bytes moved or are ready, by which calls, and what kept them.
func bytesWords(e *event.Event) string {
	t := e.Turn
	if t == nil {
		return ""
	}
	out := []string{strings.TrimSpace(bytesVerb(e) + " " + Bytes(e.Bytes))}
	if e.Kind == event.Readable {
		out[0] = Bytes(e.Bytes) + " ready"
	}
	if e.Known(event.FieldCall) {
		out = append(out, Clean(t.Call))
	}
	if t.Calls > 1 {
		out = append(out, Plural(int(t.Calls), "call", "calls"))
	}
	if e.Known(event.FieldFD) {
		out = append(out, word(e, event.FieldFD))
	}
	if e.Known(event.FieldLatencyNS) {
		out = append(out, "took "+Dur(t.LatencyNS))
	}
	if e.Known(event.FieldUnread) {
		out = append(out, Bytes(t.Unread)+" unread")
	}
	if t.NagleNS > 0 {
		out = append(out, "held by Nagle "+Dur(t.NagleNS))
	}
	if t.WindowNS > 0 {
		out = append(out, "window full "+Dur(t.WindowNS))
	}
	return strings.Join(out, "  ")
}

func bytesVerb(e *event.Event) string {
	if e.Kind == event.Write || e.Kind == event.Turn && e.Turn.Direction == event.DirOut {
		return "wrote"
	}
	return "read"
}

// sleepWords says how long a thread that serves a request was off its CPU and in what, or where it runs.
func sleepWords(e *event.Event) string {
	t := e.Turn
	if t == nil {
		return ""
	}
	out := []string{fmt.Sprintf("tid %d", e.TID)}
	if e.Kind == event.Oncpu {
		out = append(out, "runs")
	}
	if t.OffNS > 0 {
		out = append(out, strings.TrimSpace(fmt.Sprintf("slept %s in %s %s", Dur(t.OffNS), Clean(t.On), Clean(t.Target))))
	}
	if e.Thread != nil && e.Thread.RunqueueNS > 0 {
		out = append(out, "waited "+Dur(e.Thread.RunqueueNS)+" for a CPU")
	}
	if site := model.Stack(t.Stack).Site(); site != "" {
		out = append(out, "at "+Clean(site))
	}
	return strings.Join(out, "  ")
}

// exchangeWords says what was asked and answered, how long that took, and in what most of it went.
func exchangeWords(e *event.Event) string {
	r := e.Result
	if r == nil {
		return ""
	}
	var out []string
	if r.Summary != "" {
		out = append(out, Clean(r.Summary))
	} else {
		out = append(out, Clean(r.Protocol))
	}
	if e.Known(event.FieldTotalNS) {
		out = append(out, "took "+Dur(r.TotalNS))
	}
	if e.Known(event.FieldTTFBNS) {
		out = append(out, "TTFB "+Dur(r.TTFBNS))
	}
	most := ""
	for _, name := range sortedKeys(r.Phases) {
		if most == "" || r.Phases[name] > r.Phases[most] {
			most = name
		}
	}
	if most != "" {
		out = append(out, phaseText(most)+" "+Dur(r.Phases[most]))
	}
	if r.Incomplete {
		out = append(out, "incomplete")
	}
	return strings.Join(out, "  ")
}
