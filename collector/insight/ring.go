// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"beltrace/collector/model"
)

// ring is an io_uring now, and in the last seconds.
type ring struct {
	*model.Ring
	standing
	now   ringMark
	marks []ringMark
}

// ringMark is what is remembered of a ring at one moment.
type ringMark struct {
	ts  int64
	ops map[string]punted
}

// punted are completions of one operation, and those of them that a worker thread did.
type punted struct{ count, iowq uint64 }

// lookRings joins the open rings with their past.
func (p *past) lookRings(s *model.Snapshot) []*ring {
	var out []*ring
	for i := range s.Rings {
		r := &s.Rings[i]
		if r.State == model.StateClosed {
			continue
		}
		now := ringMark{ts: s.TS, ops: make(map[string]punted, len(r.Ops))}
		for name, o := range r.Ops {
			now.ops[name] = punted{o.Count, o.How[byWorker]}
		}
		x := &ring{Ring: r, now: now}
		if old := p.rings[x.id()]; old != nil {
			x.marks = old.marks
		}
		out = append(out, x)
	}
	return out
}

const byWorker = "io-wq"

func (r *ring) id() uint64 { return uint64(r.PID)<<32 | uint64(r.Ring.Ring) }

// subject names a ring: api 812 ring 1.
func (r *ring) subject() string { return fmt.Sprintf("%s %d ring %d", r.Comm, r.PID, r.Ring.Ring) }

// ago returns the ring as it was that long ago, or at our first look: what it did before may be old.
func (r *ring) ago(d time.Duration) ringMark {
	begin := r.now
	if len(r.marks) > 0 {
		begin = r.marks[0]
	}
	return ago(r.marks, r.now.ts-int64(d), begin, func(m *ringMark) int64 { return m.ts })
}

// applyRing returns what a rule finds in rings.
func applyRing(i int, rings []*ring, stands func(key) standing) (out []found) {
	for _, r := range rings {
		k := key{i, ringSubject, r.id()}
		r.standing = stands(k)
		if e := rules[i].ring(r); e != nil {
			e.pid = model.Some(r.PID)
			out = append(out, found{k, finding(&rules[i], e, r.subject(), nil), e.weight, e.then})
		}
	}
	return out
}

const (
	puntsPerSec = 50.0
	puntsShare  = 0.1
)

// ioWQPunt: operations that a pool of threads does, although the ring is there to need none.
var ioWQPunt = rule{
	id: "io-wq-punt",
	mechanism: "An operation that would block, and whose file cannot be waited for, is given to a worker thread of the kernel (io_queue_iowq, io_wq_submit_work), and so is one that is submitted with IOSQE_ASYNC. " +
		"The worker is woken, sleeps in the operation, and is one more thread for the scheduler: what the ring was to save.",
	ring: func(r *ring) *evidence {
		before := r.ago(span)
		var all, iowq, most uint64
		worst := ""
		for _, name := range slices.Sorted(maps.Keys(r.now.ops)) {
			now, then := r.now.ops[name], before.ops[name]
			all += grown(now.count, then.count)
			n := grown(now.iowq, then.iowq)
			iowq += n
			if n > most {
				most, worst = n, name
			}
		}
		perSec := float64(iowq) * 1e9 / float64(max(r.now.ts-before.ts, int64(time.Second)))
		share := float64(iowq) / float64(max(all, 1))
		if !r.reaches(perSec, puntsPerSec) || !r.reaches(share, puntsShare) {
			return nil
		}
		e := &evidence{severity: model.Warning, weight: perSec, remedy: puntRemedy(worst),
			numbers: map[string]float64{"io_wq": float64(iowq), "completions": float64(all), "io_wq_per_s": perSec, "io_wq_share": share, "most": float64(most)}}
		e.text = fmt.Sprintf("%s operations a second were done by worker threads of the kernel (io-wq): %.0f %% of all in the last 10 s", digits(perSec), 100*share)
		if most < iowq {
			e.text += fmt.Sprintf(", %.0f %% of them %s", 100*float64(most)/float64(iowq), worst)
		} else {
			e.text += ", all of them " + worst
		}
		if l := r.Ops[worst].LatencyNS; l.P99.Known {
			e.text += fmt.Sprintf("; a %s takes %s, the slowest of a hundred %s", worst, dur(l.P50.V), dur(l.P99.V))
		}
		return e
	},
}

// puntRemedy says what to do about that operation.
func puntRemedy(op string) string {
	const limit = " Bound how many workers there may be (IORING_REGISTER_IOWQ_MAX_WORKERS)."
	switch op {
	case "recv", "recvmsg", "send", "sendmsg", "accept", "connect", "poll_add", "send_zc", "sendmsg_zc":
		return "A socket never needs a worker: leave IOSQE_ASYNC away, and the ring waits for it without a thread."
	case "read", "readv", "read_fixed":
		return "Of a file: open it with O_DIRECT, or have it in memory before, on a file system that says when it would block (FMODE_NOWAIT: ext4, xfs, btrfs); of a pipe or a terminal: 6.4 and later wait for pipes. Leave IOSQE_ASYNC away." + limit
	case "write", "writev", "write_fixed":
		return "Buffered writes go there where the file system cannot say whether it would block (before 6.0 all but those to block devices): open with O_DIRECT, or use xfs." + limit
	case "nop":
		return "Leave IOSQE_ASYNC away."
	}
	return "Operations on files and names (open, stat, fsync, rename) always go there: do fewer of them." + limit
}
