// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"

	"beltrace/collector/event"
)

func (b *words) waitText(e *event.Event) {
	if e.Loop == nil {
		return
	}
	if e.Known(event.FieldReady) {
		b.say(fmt.Sprintf("%d ready", e.Loop.Ready))
	}
	if e.Known(event.FieldInsideNS) {
		b.say("waited " + span(e.Loop.InsideNS))
	}
	if e.Known(event.FieldBusyNS) {
		b.say("busy " + span(e.Loop.BusyNS) + " before")
	}
}

func (b *words) loopBlockedText(e *event.Event) {
	if e.Loop == nil || !e.Known(event.FieldOffNS) {
		return
	}
	b.say(fmt.Sprintf("thread %d slept %s in %s", e.TID, span(e.Turn.OffNS), e.Turn.On))
	b.say(fmt.Sprintf("%d ready behind it", e.Loop.Ready))
}
