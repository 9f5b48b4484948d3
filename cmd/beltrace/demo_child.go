// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"beltrace/demos/demo"
)

// demoChild is the life of a child process: it waits for its order, works, and reports.
func demoChild(ctx context.Context, role string, d *demo.Demo, stdin io.Reader, reports io.Writer) error {
	in := bufio.NewReader(stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return nil // the runner is gone, or has changed its mind
	}
	var order demoOrder
	if err := json.Unmarshal(line, &order); err != nil {
		return fmt.Errorf("read the order: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rep := &reporter{enc: json.NewEncoder(reports), replies: make(chan demoReply, 1)}
	go func() { // ends with the process
		rep.hear(in)
		stop()
	}()
	env, work := rep.env(ctx, d.Name, order), d.Server
	if role == demoClient {
		work = d.Client
	}
	err = work(ctx, env)
	if ctx.Err() != nil {
		return nil // told to stop: how it took that is nobody's business
	}
	if err == nil && role == demoServer {
		err = errors.New("the server ended by itself")
	}
	if err != nil {
		rep.say(demoReport{Error: &demoError{Text: err.Error(), InUse: rep.inUse}})
	}
	return err
}

// reporter writes reports from any goroutine.
type reporter struct {
	mu    sync.Mutex
	enc   *json.Encoder
	inUse string // the address on which listening failed because somebody else does

	asking  sync.Mutex // held by who waits for a reply
	replies chan demoReply
}

// hear takes the replies until there are no more: the child is to end.
func (r *reporter) hear(in io.Reader) {
	dec := json.NewDecoder(in)
	for {
		var reply demoReply
		if dec.Decode(&reply) != nil {
			return
		}
		r.replies <- reply
	}
}

// ask makes a report that the runner replies to.
func (r *reporter) ask(ctx context.Context, rep demoReport) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	r.say(rep)
	select {
	case reply := <-r.replies:
		if reply.Error != "" {
			return errors.New(reply.Error)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// say writes one report. A runner that is gone shows at standard input.
func (r *reporter) say(rep demoReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.enc.Encode(rep)
}

func (r *reporter) env(ctx context.Context, name string, order demoOrder) *demo.Env {
	return &demo.Env{
		Listen: func(ctx context.Context, backlog int) (*net.TCPListener, error) {
			ln, err := demo.Listen(ctx, order.Listen, backlog)
			if err == nil {
				r.announce(ln.Addr())
			}
			return ln, r.listened(order.Listen, err)
		},
		Open: func(ctx context.Context, n int) ([]*net.TCPListener, error) {
			lns, err := open(ctx, order.Listen, n)
			return lns, r.listened(order.Listen, err)
		},
		Announce: r.announce,
		Self:     func() (*exec.Cmd, error) { return againAs(demoWorker, name) },
		Addr:     order.Addr,
		Step:     func(n int) { r.say(demoReport{Step: &demoStep{N: n, TS: demo.Now()}}) },
		Note:     func(name string, value float64) { r.say(demoReport{Note: &demoNote{Name: name, Value: value}}) },
		Sysctl: func(name, value string) error {
			return r.ask(ctx, demoReport{Sysctl: &demoSysctl{Name: name, Value: value}})
		},
		Log:  log.New(os.Stderr, "", 0),
		Args: order.Args,
	}
}

// announce tells the runner where the server listens.
func (r *reporter) announce(addr net.Addr) { r.say(demoReport{Addr: addr.String()}) }

// listened notes why listening failed.
func (r *reporter) listened(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		r.inUse = addr
	}
	return err
}

// open opens n listeners at one address.
func open(ctx context.Context, addr string, n int) ([]*net.TCPListener, error) {
	if n > 1 {
		return demo.ListenShared(ctx, addr, n)
	}
	ln, err := demo.Listen(ctx, addr, 0)
	return []*net.TCPListener{ln}, err
}

// demoWorkerProcess is the life of a process of a server of several: it works until its standard input ends.
func demoWorkerProcess(ctx context.Context, d *demo.Demo, stdin io.Reader, ln *os.File) error {
	if d.Worker == nil {
		return fmt.Errorf("demo %s has no processes beside its server", d.Name)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with the process
		io.Copy(io.Discard, stdin)
		stop()
	}()
	return d.Worker(ctx, &demo.Env{Log: log.New(os.Stderr, "", 0)}, ln)
}

// againAs is a command that starts this program again for a demo, as whoever runs it now.
func againAs(role, name string) (*exec.Cmd, error) {
	exe, err := thisProgram()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, childVerb, role, name)
	cmd.Args[0], cmd.Stderr = "beltrace", os.Stderr
	return cmd, nil
}

// nameProcess makes the process known by its role instead of this program's name. Without /proc it keeps its name.
func nameProcess(role string) {
	_ = os.WriteFile("/proc/self/comm", []byte("demo-"+role), 0)
}
