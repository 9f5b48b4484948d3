// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// demoPatience is how long a child may take to end after it was told to.
const demoPatience = 2 * time.Second

// demoProcess is one child of the runner: a demo's server or client.
type demoProcess struct {
	Role string
	PID  int
	// Ended is closed when the process is gone and everything that it said has been passed on.
	Ended chan struct{}

	orders io.WriteCloser // its standard input
	err    error          // how it ended; read after Ended
}

// startDemo starts a child that waits for its order, in a network namespace of its own unless that is nil. Reports go to
// report, from one goroutine, and all of them before Ended is closed; lines on its standard output and error go to log.
func startDemo(role, name string, in *space, report func(*demoProcess, demoReport), log func(string)) (*demoProcess, error) {
	cmd, err := selfCommand(childVerb, role, name)
	if err != nil {
		return nil, fmt.Errorf("start the demo's %s: %w", role, err)
	}
	orders, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	pipes, err := newPipes(2)
	if err != nil {
		return nil, err
	}
	reports, output := pipes[0], pipes[1]
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{reports.w}, output.w, output.w
	p := &demoProcess{Role: role, Ended: make(chan struct{}), orders: orders}
	started := make(chan error)
	// The kernel kills the child when the thread that started it ends, so that thread must live as long.
	go onThread(in, func(err error) {
		if err == nil {
			err = cmd.Start()
		}
		reports.w.Close()
		output.w.Close()
		var readers errgroup.Group
		readers.Go(func() error {
			defer reports.r.Close()
			return readReports(reports.r, func(rep demoReport) { report(p, rep) })
		})
		readers.Go(func() error { defer output.r.Close(); return eachLine(output.r, log) })
		if err == nil {
			p.PID = cmd.Process.Pid
		}
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
		if err := readers.Wait(); p.err == nil {
			p.err = err
		}
		close(p.Ended)
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the demo's %s: %w", role, err)
	}
	return p, nil
}

// Order lets the child begin.
func (p *demoProcess) Order(o demoOrder) error {
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if _, err := p.orders.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("start the demo's %s: %w", p.Role, err)
	}
	return nil
}

// Reply answers a report that asks. An error means that the child is gone.
func (p *demoProcess) Reply(err error) {
	var r demoReply
	if err != nil {
		r.Error = err.Error()
	}
	_ = json.NewEncoder(p.orders).Encode(r)
}

// Stop tells the child and all it started to end, makes them if they do not, and waits for it.
func (p *demoProcess) Stop() {
	p.orders.Close()
	select {
	case <-p.Ended:
		return
	case <-time.After(demoPatience):
	}
	// What it started is in its group, too, and holds its output open. An error means that all are gone.
	_ = killGroup(p.PID, syscall.SIGKILL)
	<-p.Ended
}

type pipe struct{ r, w *os.File }

func newPipes(n int) ([]pipe, error) {
	var out []pipe
	for range n {
		r, w, err := os.Pipe()
		if err != nil {
			for _, p := range out {
				p.r.Close()
				p.w.Close()
			}
			return nil, err
		}
		out = append(out, pipe{r, w})
	}
	return out, nil
}

// eachLine passes on what a child prints, line by line; a line without an end is cut at 64 KiB.
func eachLine(r io.Reader, line func(string)) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		b, _, err := in.ReadLine()
		if err != nil {
			return nil // the child is gone
		}
		line(string(b))
	}
}
