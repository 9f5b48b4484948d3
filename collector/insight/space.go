// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"time"

	"beltrace/collector/model"
)

// space is a network namespace now, and in the last seconds.
type space struct {
	*model.Namespace
	standing
	watch Watch // how much of it is watched
	now   spaceMark
	marks []spaceMark
}

// spaceMark is what is remembered of a namespace at one moment.
type spaceMark struct {
	ts                               int64
	overflows, synFull, cookies, fit uint64
	resent                           uint64 // by clients
	refused                          uint64 // by listeners
}

func (p *past) lookSpace(n *model.Namespace, ts int64, watch Watch) *space {
	out := &space{Namespace: n, watch: watch, now: spaceMark{
		ts: ts, overflows: max(n.ListenOverflows.V, n.Unplaced[acceptFull]),
		synFull: max(n.ReqQFullDrop.V, n.Unplaced[synFull]+n.Unplaced[synLimit]), cookies: n.SyncookiesSent.V, fit: n.SyncookiesRecv.V, resent: n.Resent.Segments, refused: n.ListenDrops.V,
	}}
	if old := p.spaces[n.NetNS]; old != nil {
		out.marks = old.marks
	}
	return out
}

// ago returns the namespace as it was that long ago.
func (n *space) ago(d time.Duration) spaceMark {
	return ago(n.marks, n.now.ts-int64(d), spaceMark{}, func(m *spaceMark) int64 { return m.ts })
}

func (n *space) subject() string { return fmt.Sprintf("network namespace %d", n.NetNS) }

// untold says that a count is that of the namespace, and of whom it may be.
func (n *space) untold() string {
	const untold = "this kernel does not tell at which listener"
	if n.watch == Part {
		return untold + ", watched or not: the count is that of the whole network namespace"
	}
	return untold
}

// setting returns a setting of the namespace; unknown where nothing is known of it.
func (n *space) setting(of func(*model.Namespace) model.Opt[uint64]) model.Opt[uint64] {
	if n == nil {
		return model.Opt[uint64]{}
	}
	return of(n.Namespace)
}
