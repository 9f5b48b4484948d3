// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

func openConnection(in Input, c *model.Connection, width int) *Detail {
	arrow := connectionArrow(in, c)[0].Text
	d := &Detail{Title: Line{{comm(c.Process) + " ", Strong}, {address(c.Local) + " " + arrow + " " + address(c.Remote), Normal}, {"  " + stateText(c), stateStyle(c)}}}
	connectionFacts(d, in, c)
	connectionLinks(d, in, c)
	storySection(d, in, c, width)
	return d
}

func connectionFacts(d *Detail, in Input, c *model.Connection) {
	role := map[string]string{event.RoleClient: "client: it called connect", event.RoleServer: "server: it came out of a listener"}[c.Role]
	if role == "" {
		role = None
	}
	d.fact("process", owner(c.Process)...)
	d.fact("side", Span{role, Normal})
	d.fact("state", Span{stateText(c), stateStyle(c)}, Span{errnoText(c), Warning})
	if resyncing(c) {
		d.fact("requests", Span{"resyncing", Warning}, Span{"  bytes were missed: no answer is paired at present", Dim})
	}
	opened := Line{{in.clock().Time(c.Opened), Normal}, {"  " + connectionAge(in, c).String() + " ", Strong}, {"old", Dim}}
	switch {
	case c.PreExisting:
		opened = Styled("before beltrace started", Dim)
	case c.State == model.StateClosed:
		opened = Line{{in.clock().Time(c.Opened), Normal}, {"  lasted ", Dim}, {connectionAge(in, c).String(), Strong}}
	}
	d.fact("opened", opened...)
	d.fact("handshake", Span{optDur(c.HandshakeNS), Normal}, Span{"   round trip ", Dim}, Span{optDur(c.RTTNS), Normal})
	if c.Role != event.RoleClient {
		d.fact("accept wait", connectionWait(in, c)...)
	}
	d.fact("bytes", Span{optBytes(c.BytesIn), Strong}, Span{" in  ", Dim}, Span{optBytes(c.BytesOut), Strong}, Span{" out  ", Dim}, Span{optBytes(c.Unread), Normal}, Span{" unread", Dim})
	d.fact("retransmits", connectionRetransmits(in, c)...)
	d.fact("socket", Span{"fd " + optExact(c.FD), Normal}, Span{"   conn " + ConnID(c.Conn) + "   netns " + netns(c.NetNS), Dim})
}

func errnoText(c *model.Connection) string {
	if !c.Errno.Known {
		return ""
	}
	return fmt.Sprintf("  errno %d", c.Errno.V)
}

// connectionLinks leads to the listener that the connection came from and to the socket at its other end.
func connectionLinks(d *Detail, in Input, c *model.Connection) {
	if c.Listener.Known {
		to := Line{{pad("listener", factName), Dim}, {ConnID(c.Listener.V), Normal}}
		if l := findListener(in.Snap, c.Listener.V); l != nil {
			to = Line{{pad("listener", factName), Dim}, {comm(l.Process) + " ", Strong}, {l.Local, Normal}, {"  Enter opens it", Dim}}
		}
		d.link(to, Key{Kind: ListenerRecord, ID: c.Listener.V})
	}
	if !c.Peer.Known {
		return
	}
	to := Line{{pad("peer socket", factName), Dim}, {ConnID(c.Peer.V), Normal}}
	if p := findConnection(in.Snap, c.Peer.V); p != nil {
		to = Line{{pad("peer socket", factName), Dim}, {comm(p.Process) + " ", Strong}, {"pid " + pid(p.Process), Normal}, {"  Enter opens it", Dim}}
	}
	d.link(to, Key{Kind: ConnectionRecord, ID: c.Peer.V})
}

// storySection tells what happened to the connection, with the time between the steps.
func storySection(d *Detail, in Input, c *model.Connection, width int) {
	d.section("STORY")
	if len(c.Story) == 0 {
		d.add(Styled("nothing happened since beltrace started", Dim))
		return
	}
	clock := in.clock()
	timeWidth := Width(clock.Time(c.Story[0].TS))
	for i, e := range c.Story {
		step := ""
		if i > 0 {
			step = "+" + Dur(e.TS-c.Story[i-1].TS)
		}
		line := Line{{pad(clock.Time(e.TS), timeWidth), Dim}, {fmt.Sprintf(" %9s  ", step), Strong}, {pad(e.Kind, 12), eventStyle(e.Kind)}}
		indent := Span{Text: strings.Repeat(" ", line.Width())}
		for _, text := range Wrap(withoutEnds(Clean(e.Text), c), width-line.Width()) {
			d.add(append(line, Span{Text: text}))
			line = Line{indent}
		}
	}
}

// withoutEnds takes the addresses away that the detail's title says already.
func withoutEnds(text string, c *model.Connection) string {
	for _, arrow := range []string{"→", "←", "–"} {
		if rest, ok := strings.CutPrefix(text, c.Local+" "+arrow+" "+c.Remote); ok {
			return strings.TrimLeft(rest, ", ")
		}
	}
	return text
}
