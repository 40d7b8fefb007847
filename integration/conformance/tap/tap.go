// Package tap writes the Test Anything Protocol, version 13. It stands in for github.com/mndrix/tap-go, which
// Debian does not package: the same names, as far as the validation programs use them.
package tap

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// T counts the points of one test program.
type T struct {
	points *int
	todo   string
}

// New starts without any points.
func New() *T { return &T{points: new(int)} }

// Header says which version of TAP follows and, if it is known already, how many points.
func (t *T) Header(points int) {
	fmt.Println("TAP version 13")
	if points > 0 {
		fmt.Printf("1..%d\n", points)
	}
}

// AutoPlan says afterwards how many points there were.
func (t *T) AutoPlan() { fmt.Printf("1..%d\n", *t.points) }

// Ok is one point.
func (t *T) Ok(good bool, description string) {
	*t.points++
	result := "ok"
	if !good {
		result = "not ok"
	}
	fmt.Printf("%s %d - %s%s\n", result, *t.points, oneLine(description), t.todo)
}

// Todo counts with t; its points may be bad.
func (t *T) Todo() *T { return &T{points: t.points, todo: " # TODO"} }

// Pass is a point that is good.
func (t *T) Pass(description string) { t.Ok(true, description) }

// Fail is a point that is not.
func (t *T) Fail(description string) { t.Ok(false, description) }

// Skip is a number of points that cannot be had here.
func (t *T) Skip(points int, reason string) {
	for ; points > 0; points-- {
		*t.points++
		fmt.Printf("ok %d # SKIP %s\n", *t.points, oneLine(reason))
	}
}

// Diagnostic is a remark.
func (t *T) Diagnostic(message string) {
	for _, line := range strings.Split(strings.TrimSpace(message), "\n") {
		fmt.Println("# " + line)
	}
}

// Diagnosticf is a remark with a format.
func (t *T) Diagnosticf(format string, a ...interface{}) { t.Diagnostic(fmt.Sprintf(format, a...)) }

// YAML belongs to the point before it. JSON is YAML.
func (t *T) YAML(value interface{}) error {
	text, err := json.MarshalIndent(value, "  ", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "  ---\n  %s\n  ...\n", text)
	return err
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }
