#!/usr/bin/env bash
# Step 1: JSONL to Megatron's .bin and .idx. Set by the caller:
#
#   INPUT                 a JSONL file, a pattern of several, or a folder of *.jsonl and *.json
#   OUTPUT_PREFIX         writes OUTPUT_PREFIX_<key>_document.bin and .idx
#   TOKENIZER_MODEL_PATH  a SentencePiece tokenizer.model, or the folder that holds one
#   WORKERS               threads; default: one per processor
#   JSON_KEYS             the keys to take, separated by spaces; default: text
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
: "${INPUT:?set INPUT to the JSONL to read}"
: "${OUTPUT_PREFIX:?set OUTPUT_PREFIX to where the dataset goes}"
: "${TOKENIZER_MODEL_PATH:?set TOKENIZER_MODEL_PATH to the tokenizer.model}"

shopt -s nullglob
if [ -d "$INPUT" ]; then
  inputs=("$INPUT"/*.jsonl "$INPUT"/*.json)
elif [ -e "$INPUT" ]; then
  inputs=("$INPUT")
else
  # shellcheck disable=SC2206 # a pattern is meant to be expanded
  inputs=($INPUT)
fi
if [ "${#inputs[@]}" -eq 0 ]; then
  echo "preprocess_train_data.sh: error: INPUT names no file: $INPUT" >&2
  exit 1
fi
read -r -a keys <<<"${JSON_KEYS:-text}"

exec "$scripts/../../bin/p4j" preprocess \
  --input "${inputs[@]}" \
  --output-prefix "$OUTPUT_PREFIX" \
  --tokenizer-type Llama2Tokenizer \
  --tokenizer-model "$TOKENIZER_MODEL_PATH" \
  --json-keys "${keys[@]}" \
  --append-eod \
  ${WORKERS:+--workers "$WORKERS"} \
  "$@"
