// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"testing"

	"beltrace/internal/testkit"
)

func TestMain(m *testing.M) {
	testkit.Main(m, map[string]testkit.Role{"agent": runAgent, "heir": runHeir, "dialer": runDialer})
}

// request asks an agent for one operation; operations run side by side, each on a thread of its own.
type request struct {
	ID   int
	Op   string
	Args json.RawMessage
}

type answer struct {
	ID     int
	Err    string
	Result json.RawMessage
}

// operation is what an agent can do; the test names it and gets back what it returns.
type operation func(args json.RawMessage) (any, error)

// op makes an operation out of a function with an argument of its own type.
func op[A, R any](f func(A) (R, error)) operation {
	return func(raw json.RawMessage) (any, error) {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, err
		}
		return f(args)
	}
}

func operations() map[string]operation {
	return map[string]operation{
		"listen":     op(opListen),
		"contend":    op(opContend),
		"serve":      op(opServe),
		"poke":       op(opPoke),
		"waiting":    op(opWaiting),
		"dial":       op(opDial),
		"crowd":      op(opCrowd),
		"tun":        op(opTun),
		"spoof":      op(opSpoof),
		"ack":        op(opSpoofACK),
		"starve":     op(opStarve),
		"deafen":     op(opDeafen),
		"finish":     op(opFinish),
		"hold":       op(opHold),
		"share":      op(opShare),
		"goserve":    op(opGoServe),
		"bequest":    op(opBequest),
		"ring":       op(opRing),
		"child":      op(opChild),
		"work":       op(opWork),
		"bursts":     op(opBursts),
		"empty":      op(opAcceptNobody),
		"http":       op(opHTTP),
		"fetch":      op(opFetch),
		"plain":      op(opPlain),
		"relay":      op(opRelay),
		"ask":        op(opAsk),
		"together":   op(opTogether),
		"loop":       op(opLoop),
		"interest":   op(opInterest),
		"way":        op(opWay),
		"leave":      op(opLeave),
		"operate":    op(opOperate),
		"spin":       op(opSpin),
		"churn":      op(opChurn),
		"say":        op(opSay),
		"loopserver": op(opLoopServer),
		"send":       op(opSend),
		"ringserve":  op(opRingServe),
		"tally":      op(opTally),
		"pipe":       op(opPipe),
		"herd":       op(opHerd),
		"mark":       op(opMark),
	}
}

// runAgent is the role of a process that opens, uses and closes sockets as it is told.
func runAgent(talk *testkit.Talk) error {
	ops := operations()
	if err := talk.Say(os.Getpid()); err != nil {
		return err
	}
	for {
		var r request
		if err := talk.Hear(&r); err != nil {
			return err
		}
		go func() {
			runtime.LockOSThread() // one operation, one thread: the tid that it reports
			if err := talk.Say(perform(ops[r.Op], r)); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}()
	}
}

func perform(do operation, r request) answer {
	a := answer{ID: r.ID}
	if do == nil {
		a.Err = "no operation " + r.Op
		return a
	}
	result, err := do(r.Args)
	if err != nil {
		a.Err = fmt.Sprintf("%s: %v", r.Op, err)
		return a
	}
	a.Result, err = json.Marshal(result)
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

// agent is the test's end of an agent's line. One goroutine, the test's own, uses it.
type agent struct {
	*testkit.Child
	t       testing.TB
	asked   int
	answers map[int]answer // came before they were waited for
}

func startAgent(t testing.TB, o testkit.ChildOptions) *agent {
	t.Helper()
	a := &agent{Child: testkit.Start(t, "agent", o), t: t, answers: map[int]answer{}}
	var pid uint32
	if a.Hear(t, &pid); pid != a.PID && !o.PIDNamespace {
		t.Fatalf("agent is process %d, started as %d", pid, a.PID)
	}
	return a
}

// pending is an operation that is under way.
type pending[R any] struct {
	a  *agent
	id int
}

// begin starts an operation and does not wait for it.
func begin[R any](a *agent, name string, args any) pending[R] {
	a.t.Helper()
	raw, err := json.Marshal(args)
	if err != nil {
		a.t.Fatal(err)
	}
	a.asked++
	a.Tell(a.t, request{ID: a.asked, Op: name, Args: raw})
	return pending[R]{a, a.asked}
}

// result waits for the operation's end.
func (p pending[R]) result() R {
	p.a.t.Helper()
	for {
		if got, ok := p.a.answers[p.id]; ok {
			delete(p.a.answers, p.id)
			return decode[R](p.a.t, got)
		}
		var got answer
		p.a.Hear(p.a.t, &got)
		p.a.answers[got.ID] = got
	}
}

func decode[R any](t testing.TB, got answer) R {
	t.Helper()
	var r R
	if got.Err != "" {
		t.Fatal(got.Err)
	}
	if err := json.Unmarshal(got.Result, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// do runs an operation to its end.
func do[R any](a *agent, name string, args any) R {
	a.t.Helper()
	return begin[R](a, name, args).result()
}
