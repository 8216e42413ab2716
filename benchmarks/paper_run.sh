#!/usr/bin/env bash
# The paper's recipe for all five variants of the HFF family, from scratch, on one GPU.
#
#   benchmarks/paper_run.sh                      200 epochs, 1,771 images, batch 16; resumes if stopped
#   DATA=my_images benchmarks/paper_run.sh       on your own images instead of synthetic ones
#   TINY=1 DEVICE=cpu benchmarks/paper_run.sh    the same command with a tiny network, one epoch
#
# RECIPE=published keeps SGD at 1e-4 (still without pretrained weights); OUT: the folder; SEEDS: how many.
# Afterwards: hmcbench publish "$OUT" puts records and leaderboard under results/.
set -euo pipefail

OUT=${OUT:-runs/paper} DEVICE=${DEVICE:-cuda:0} SEEDS=${SEEDS:-1} RECIPE=${RECIPE:-scratch}
MODELS=(hffvt hffcnn hff-cnn-vt hff-cnn-conv-vt hffnet-2d)
OPTIONS=(--suite sem-failure --profile paper --device "$DEVICE" --seeds "$SEEDS" --out "$OUT")
if [ -n "${DATA:-}" ]; then OPTIONS+=(--data "sem-failure=$DATA"); else OPTIONS+=(--set sem-failure.size=224); fi
for model in "${MODELS[@]}"; do
  OPTIONS+=(--model "$model" --set "$model.recipe=$RECIPE")
  [ "$model" = hffvt ] || OPTIONS+=(--set "$model.pretrained=false")
  [ -z "${TINY:-}" ] || OPTIONS+=(--set "$model.epochs=1" --set "$model.image_size=32" --set "$model.warmup_epochs=0")
  [ -z "${TINY:-}" ] || [ "$model" = hffvt ] || OPTIONS+=(--set "$model.backbone=test_resnet")
  [ -z "${TINY:-}" ] || [ "$model" = hffcnn ] ||
    OPTIONS+=(--set "$model.dim=16" --set "$model.depth=1" --set "$model.heads=2" --set "$model.mlp_dim=32")
done
exec hmcbench run "${OPTIONS[@]}" "$@"
