package simulator

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// Speech and transcriptions. The service publishes neither their answers nor the words for their states: beside the id and the status, the
// fields here are the simulator's choice, named like those of the operations that are documented. What is null in a lip sync video until it
// has ended is null here, too.

// billedMinutes is how many minutes of sound are charged for. The price is not documented, only that it goes by the length.
func billedMinutes(seconds float64) float64 { return max(math.Ceil(seconds/60), 1) }

func (s server) SynthesizeSpeech(ctx context.Context, body gen.SynthesizeSpeechRequest) (*gen.SpeechTask, error) {
	length := max(speakingSeconds(body.Text), 0.4)
	t, err := s.begin(ctx, KindSpeech, taskSpec{text: body.Text, voiceID: body.VoiceID, seconds: length, units: billedMinutes(length)})
	if err != nil {
		return nil, err
	}
	return s.speech(t), nil
}

func (s server) GetSpeechTask(ctx context.Context, taskID string) (*gen.SpeechTask, error) {
	t, err := s.find(ctx, KindSpeech, taskID)
	if err != nil {
		return nil, err
	}
	return s.speech(t), nil
}

func (s *Simulator) speech(t *task) *gen.SpeechTask {
	more := s.outcomeFields(t)
	more["voice_id"] = t.spec.voiceID
	if t.succeeded() {
		more["audio_url"] = s.recording(t)
		more["subtitle_url"] = s.media("speech-subtitles", t.id, "srt")
		more["duration_seconds"] = t.seconds()
	}
	return &gen.SpeechTask{TaskID: t.id, Status: s.status(t), AdditionalProperties: rawFields(more)}
}

func (s *Simulator) recording(t *task) string { return s.media("speech", t.id, "wav") }

func (s server) TranscribeAudio(ctx context.Context, body gen.TranscribeAudioRequest) (*gen.TranscriptionTask, error) {
	t, err := s.begin(ctx, KindTranscription, taskSpec{
		text: s.transcriptOf(ctx, body.AudioURL), seconds: body.DurationSeconds, units: billedMinutes(body.DurationSeconds),
	})
	if err != nil {
		return nil, err
	}
	return s.transcription(t), nil
}

// transcriptOf is what is said in a recording: the text of speech that the account had made, or words that stand for any other.
func (s *Simulator) transcriptOf(ctx context.Context, url string) string {
	for _, t := range s.tasksOf(ctx, KindSpeech) {
		if t.succeeded() && s.recording(t) == url {
			return t.spec.text
		}
	}
	return "Hello, and welcome. This is what the recording says."
}

func (s server) GetTranscriptionTask(ctx context.Context, taskID string) (*gen.TranscriptionTask, error) {
	t, err := s.find(ctx, KindTranscription, taskID)
	if err != nil {
		return nil, err
	}
	return s.transcription(t), nil
}

func (s *Simulator) transcription(t *task) *gen.TranscriptionTask {
	more := s.outcomeFields(t)
	if t.succeeded() {
		more["text"] = t.spec.text
		more["segments"] = segments(t.spec.text, t.seconds())
		more["duration_seconds"] = t.seconds()
	}
	return &gen.TranscriptionTask{TaskID: t.id, Status: s.status(t), AdditionalProperties: rawFields(more)}
}

// segment is a sentence of a transcription.
type segment struct {
	Start float64 `json:"start"` // in seconds from the beginning
	End   float64 `json:"end"`
	Text  string  `json:"text"`
}

// segments cuts a text into its sentences, each as long as its share of the text.
func segments(text string, length float64) []segment {
	var all []segment
	said := 0
	for sentence := range strings.SplitAfterSeq(text, ". ") {
		if sentence == "" {
			continue
		}
		start := length * float64(said) / float64(len(text))
		said += len(sentence)
		all = append(all, segment{Start: start, End: length * float64(said) / float64(len(text)), Text: strings.TrimSpace(sentence)})
	}
	return all
}

// outcomeFields is when a task was begun, when it ended, and why it failed.
func (s *Simulator) outcomeFields(t *task) map[string]any {
	fields := map[string]any{"created_at": t.created.Unix(), "completed_at": nil, "error": nil}
	if !t.ended.IsZero() {
		fields["completed_at"] = t.completedAt()
	}
	if t.reason != nil {
		fields["error"] = t.failure()
	}
	return fields
}

// rawFields returns fields as a model keeps those that the contract does not list.
func rawFields(fields map[string]any) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		raw, _ := json.Marshal(value) // texts, numbers and structs of them
		all[name] = raw
	}
	return all
}
