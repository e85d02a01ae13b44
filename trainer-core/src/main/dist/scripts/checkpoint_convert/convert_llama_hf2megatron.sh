#!/usr/bin/env bash
# Step 2: a Hugging Face model to a Megatron checkpoint. Set by the caller:
#
#   HF_FORMAT_DIR            the model: config.json and weights
#   TOKENIZER_MODEL          its tokenizer.model, or the folder that holds one; default: HF_FORMAT_DIR's, if it has one
#   MEGATRON_FORMAT_DIR      where the checkpoint goes: a new or empty folder; naming its iter_0000001 child is the same
#   TENSOR_MODEL_PARALLEL    tensor parallel ranks; default: 1
#   PIPELINE_MODEL_PARALLEL  pipeline stages; default: 1
#
# Writes MEGATRON_FORMAT_DIR/iter_0000001/mp_rank_*/model_optim_rng.pt and latest_checkpointed_iteration.txt.
# What is given on the command line goes to 'p4j convert' as it is.
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
: "${HF_FORMAT_DIR:?set HF_FORMAT_DIR to the Hugging Face model}"
: "${MEGATRON_FORMAT_DIR:?set MEGATRON_FORMAT_DIR to where the checkpoint goes}"

output="${MEGATRON_FORMAT_DIR%/}"
case "$(basename "$output")" in
  iter_[0-9]*) output="$(dirname "$output")" ;;
esac

tokenizer=()
if [ -n "${TOKENIZER_MODEL:-}" ]; then
  tokenizer=(--tokenizer-model "$TOKENIZER_MODEL")
elif [ -e "$HF_FORMAT_DIR/tokenizer.model" ] || [ -e "$HF_FORMAT_DIR/tokenizer.json" ]; then
  tokenizer=(--tokenizer-model "$HF_FORMAT_DIR")
fi

exec "$scripts/../../bin/p4j" convert --to megatron \
  --input "$HF_FORMAT_DIR" \
  --output "$output" \
  ${tokenizer[@]+"${tokenizer[@]}"} \
  --tensor-model-parallel-size "${TENSOR_MODEL_PARALLEL:-1}" \
  --pipeline-model-parallel-size "${PIPELINE_MODEL_PARALLEL:-1}" \
  "$@"
