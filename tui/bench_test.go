// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view/viewtest"
)

// BenchmarkPicture is what one picture of ten thousand connections costs on the goroutine of the user interface.
func BenchmarkPicture(b *testing.B) {
	s := viewtest.Busy()
	for len(s.Connections) < 10_000 {
		s.Connections = append(s.Connections, s.Connections[len(s.Connections)%200])
	}
	screen := newScreen(200, 50)
	if err := screen.Init(); err != nil {
		b.Fatal(err)
	}
	defer screen.Fini()
	u, err := newUI(Options{Start: "connections", Snapshots: func() *model.Snapshot {
		n := *s
		return &n // each picture is of a new snapshot
	}}, newTheme(false), false)
	if err != nil {
		b.Fatal(err)
	}
	u.SetRect(0, 0, 200, 50)
	for b.Loop() {
		u.refresh()
		screen.Clear()
		u.Draw(screen)
		screen.SimulationScreen.Show()
	}
}
