// SPDX-License-Identifier: Apache-2.0

package model

import "strconv"

// Severities of a finding, worst first.
const (
	Critical = "critical" // clients are refused or wait without end
	Warning  = "warning"  // it will be, or it is slow for a reason that can be mended
	Note     = "note"     // worth knowing
)

// Finding is what a rule concluded from the model. Its sentences have the numbers in them; Numbers has them again for
// programs.
type Finding struct {
	ID        string             `json:"id"` // accept-queue-full, slow-acceptor …
	Severity  string             `json:"severity"`
	Subject   string             `json:"subject"` // what it is about: api 127.0.0.1:9000
	Text      string             `json:"text"`    // what happens, with the numbers
	Numbers   map[string]float64 `json:"numbers"`
	Mechanism string             `json:"mechanism"` // what the kernel does and why
	Remedy    string             `json:"remedy"`
	Since     int64              `json:"since"`          // CLOCK_MONOTONIC
	Until     Opt[int64]         `json:"until,omitzero"` // when it ceased to hold, if it has

	Listener Opt[uint64] `json:"listener_conn,omitzero"` // cookie of the listener that it is about
	PID      Opt[uint32] `json:"pid,omitzero"`           // process that it is about
}

// About tells what it is about from all else, as long as that is there: its name changes when another of that name comes.
func (f *Finding) About() string {
	if f.Listener.Known {
		return strconv.FormatUint(f.Listener.V, 16)
	}
	return f.Subject
}

// Namespace is a network namespace in which somebody listens: its counters since the watch began (absent where they
// could not be read), and its settings.
type Namespace struct {
	NetNS             uint32      `json:"netns"`
	ListenOverflows   Opt[uint64] `json:"listen_overflows,omitzero"`
	ListenDrops       Opt[uint64] `json:"listen_drops,omitzero"`
	ReqQFullDrop      Opt[uint64] `json:"req_q_full_drop,omitzero"`
	ReqQFullDoCookies Opt[uint64] `json:"req_q_full_do_cookies,omitzero"`
	SyncookiesSent    Opt[uint64] `json:"syncookies_sent,omitzero"`
	SyncookiesRecv    Opt[uint64] `json:"syncookies_recv,omitzero"`
	SyncookiesFailed  Opt[uint64] `json:"syncookies_failed,omitzero"`
	EmbryonicRsts     Opt[uint64] `json:"embryonic_rsts,omitzero"`
	SomaxConn         Opt[uint64] `json:"somaxconn,omitzero"`
	MaxSYNBacklog     Opt[uint64] `json:"tcp_max_syn_backlog,omitzero"`
	SYNCookies        Opt[uint64] `json:"tcp_syncookies,omitzero"`
	AbortOnOverflow   Opt[uint64] `json:"tcp_abort_on_overflow,omitzero"`
	// Unplaced are refusals of which this kernel does not tell the listener, by reason.
	Unplaced map[string]uint64 `json:"unplaced_drops"`
	// UnplacedReasons are those of them for which the kernel has a name (enum skb_drop_reason), by it.
	UnplacedReasons map[string]uint64 `json:"unplaced_drop_reasons,omitempty"`
	// Resent are segments of established connections that clients sent again.
	Resent Resent `json:"resent_by_clients,omitzero"`
}

// Resent counts segments that were sent again, and says of which connection that was last told.
type Resent struct {
	Segments uint64      `json:"segments"`
	Remote   string      `json:"remote,omitempty"`
	PID      Opt[uint32] `json:"pid,omitzero"`
	Comm     string      `json:"comm,omitempty"`
}
