// Judges requests to Mackerel's API by the typed models of Mackerel's own client, and prints what they hold.
//
//	judge FILE
//
// FILE has one JSON object a line: `method`, `path` and `body`, a string. For each, one line is printed: `path`, and
// `items`, what was sent as the models have it. Ends with an error if a member is unknown or of another type, a name is
// not of Mackerel's letters, or a documented limit is not kept.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mackerelio/mackerel-client-go"
)

var name = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)
var service = regexp.MustCompile(`^/api/v0/services/[a-zA-Z0-9_-]+/tsdb$`)

type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body"`
}

// A report with its source as the API documents it: the client's own is an interface, which only it can fill.
type report struct {
	Source struct {
		Type   string `json:"type"`
		HostID string `json:"hostId"`
	} `json:"source"`
	Name                 string               `json:"name"`
	Status               mackerel.CheckStatus `json:"status"`
	Message              string               `json:"message"`
	OccurredAt           int64                `json:"occurredAt"`
	NotificationInterval uint                 `json:"notificationInterval,omitempty"`
	MaxCheckAttempts     uint                 `json:"maxCheckAttempts,omitempty"`
}

func main() {
	file, err := os.Open(os.Args[1])
	check(err == nil, "%v", err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var asked request
		strict(lines.Text(), &asked)
		told, err := json.Marshal(map[string]any{"path": asked.Path, "items": judge(asked)})
		check(err == nil, "%v", err)
		fmt.Println(string(told))
	}
	check(lines.Err() == nil, "%v", lines.Err())
}

func judge(asked request) any {
	check(asked.Method == "POST", "%s %s", asked.Method, asked.Path)
	switch {
	case asked.Path == "/api/v0/tsdb":
		var values []*mackerel.HostMetricValue
		strict(asked.Body, &values)
		for _, value := range values {
			check(value.HostID != "" && strings.HasPrefix(value.Name, "custom."), "%+v", value.MetricValue)
			metric(value.MetricValue)
		}
		return values
	case service.MatchString(asked.Path):
		var values []*mackerel.MetricValue
		strict(asked.Body, &values)
		for _, value := range values {
			metric(value)
		}
		return values
	case asked.Path == "/api/v0/graph-defs/create":
		var graphs []*mackerel.GraphDefsParam
		strict(asked.Body, &graphs)
		units := "float integer percentage seconds milliseconds bytes bytes/sec bits/sec iops"
		for _, graph := range graphs {
			check(strings.Contains(units, graph.Unit) && graph.Unit != "", "unit %q", graph.Unit)
			for _, line := range graph.Metrics {
				check(strings.HasPrefix(line.Name, graph.Name+"."), "%q is not of %q", line.Name, graph.Name)
			}
		}
		return graphs
	case asked.Path == "/api/v0/monitoring/checks/report":
		var reports struct {
			Reports []*report `json:"reports"`
		}
		strict(asked.Body, &reports)
		check(len(reports.Reports) <= 100, "%d reports", len(reports.Reports))
		for _, one := range reports.Reports {
			check(one.Source.Type == "host" && one.Source.HostID != "" && one.Name != "", "%+v", one)
			check(strings.Contains(" OK WARNING CRITICAL UNKNOWN ", " "+string(one.Status)+" "), "%q", one.Status)
			check(utf8.RuneCountInString(one.Message) < 1024 && one.OccurredAt > 0, "%+v", one)
		}
		return reports.Reports
	case asked.Path == "/api/v0/graph-annotations":
		var note mackerel.GraphAnnotation
		strict(asked.Body, &note)
		check(utf8.RuneCountInString(note.Title) <= 250 && utf8.RuneCountInString(note.Description) <= 1024, "%+v", note)
		check(note.From > 0 && note.From <= note.To && note.Service != "", "%+v", note)
		return []any{note}
	case asked.Path == "/api/v0/downtimes":
		var downtime mackerel.Downtime
		strict(asked.Body, &downtime)
		check(downtime.Name != "" && downtime.Duration > 0 && downtime.Start > 0, "%+v", downtime)
		return []any{downtime}
	}
	check(false, "no such path: %s", asked.Path)
	return nil
}

func metric(value *mackerel.MetricValue) {
	number, isNumber := value.Value.(float64)
	check(isNumber && number == number, "%v is no number", value.Value)
	check(name.MatchString(value.Name) && value.Time > 0, "%+v", value)
}

func strict(text string, into any) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	check(err == nil && !decoder.More(), "%v in %.300s", err, text)
}

func check(holds bool, why string, what ...any) {
	if !holds {
		fmt.Fprintf(os.Stderr, why+"\n", what...)
		os.Exit(1)
	}
}
