#!/usr/bin/env bash
# Step 4: a Megatron checkpoint to a Hugging Face model. Set by the caller:
#
#   MEGATRON_FORMAT_DIR         the checkpoint: the folder with latest_checkpointed_iteration.txt, or one iter_… of it
#   HF_FORMAT_DIR               where the model goes: a new or empty folder
#   REF_HF_FORMAT_DIR           the Hugging Face model it came from: gives config.json and the tokenizer's files
#   TOKENIZER_MODEL             the tokenizer.model, or the folder that holds one; default: REF_HF_FORMAT_DIR's
#   HF_PIPELINE_MODEL_PARALLEL  weight files to write; default: 1
#
# Beside config.json, the weights and the tokenizer it always writes README.md, and with a tokenizer.model also
# generation_config.json, special_tokens_map.json and tokenizer_config.json: the reference's, or made from the tokenizer.
# TENSOR_MODEL_PARALLEL and PIPELINE_MODEL_PARALLEL may be set: the checkpoint itself says how it is split.
# What is given on the command line goes to 'p4j convert' as it is.
set -euo pipefail

scripts="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
: "${MEGATRON_FORMAT_DIR:?set MEGATRON_FORMAT_DIR to the Megatron checkpoint}"
: "${HF_FORMAT_DIR:?set HF_FORMAT_DIR to where the model goes}"
: "${REF_HF_FORMAT_DIR:?set REF_HF_FORMAT_DIR to the Hugging Face model it came from}"

tokenizer=()
if [ -n "${TOKENIZER_MODEL:-}" ]; then
  tokenizer=(--tokenizer-model "$TOKENIZER_MODEL")
elif [ -e "$REF_HF_FORMAT_DIR/tokenizer.model" ]; then
  tokenizer=(--tokenizer-model "$REF_HF_FORMAT_DIR/tokenizer.model")
fi

exec "$scripts/../../bin/p4j" convert --to huggingface \
  --input "$MEGATRON_FORMAT_DIR" \
  --output "$HF_FORMAT_DIR" \
  --reference "$REF_HF_FORMAT_DIR" \
  ${tokenizer[@]+"${tokenizer[@]}"} \
  --format bin \
  --num-shards "${HF_PIPELINE_MODEL_PARALLEL:-1}" \
  "$@"
