package io.github.pretrain4j.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What replaces the MLP in layers with experts: a router picks {@code topk} of {@code numExperts}
 * gated MLPs for each token and sums their outputs by weight, beside an expert that all tokens
 * share, if there is one.
 *
 * @param topk experts per token
 * @param moeFfnHiddenSize width of one expert
 * @param sharedExpertFfnHiddenSize width of the shared expert; 0 means there is none
 * @param sharedExpertGate the shared expert's output is scaled by a sigmoid of the token
 * @param layerIsMoe for each layer whether it has experts; empty means all have
 * @param preSoftmax the scores of all experts are normalised before some are picked, not those of
 *     the picked ones after
 * @param expertBias picking, but not weighing, adds a bias per expert to the scores
 * @param numGroups groups of experts of which only {@code groupTopk} are looked at; 0 means no
 *     groups
 * @param scalingFactor what the weights of the picked experts are multiplied by
 * @param auxLossCoeff weight of the load-balancing loss in training
 */
public record MixtureOfExperts(
    int numExperts,
    int topk,
    int moeFfnHiddenSize,
    int sharedExpertFfnHiddenSize,
    boolean sharedExpertGate,
    List<Boolean> layerIsMoe,
    boolean preSoftmax,
    ScoreFunction scoreFunction,
    boolean expertBias,
    int numGroups,
    int groupTopk,
    double scalingFactor,
    double auxLossCoeff) {

  /** How the router's logits become scores. */
  public enum ScoreFunction {
    SOFTMAX,
    /** Each expert by itself; the weights of the picked ones are then normalised to a sum of 1. */
    SIGMOID
  }

  private static final int MAX_EXPERTS = 1 << 16;
  private static final int MAX_SIZE = 1 << 28;

  public MixtureOfExperts {
    require("numExperts", numExperts, 1, MAX_EXPERTS);
    require("topk", topk, 1, numExperts);
    require("moeFfnHiddenSize", moeFfnHiddenSize, 1, MAX_SIZE);
    require("sharedExpertFfnHiddenSize", sharedExpertFfnHiddenSize, 0, MAX_SIZE);
    require("numGroups", numGroups, 0, numExperts);
    require("groupTopk", groupTopk, numGroups == 0 ? 0 : 1, numGroups);
    if (numGroups > 0 && numExperts % numGroups != 0) {
      throw new IllegalArgumentException(
          "numExperts " + numExperts + " is not a multiple of numGroups " + numGroups);
    }
    if (sharedExpertGate && sharedExpertFfnHiddenSize == 0) {
      throw new IllegalArgumentException("a gate without a shared expert");
    }
    if (!layerIsMoe.isEmpty() && !layerIsMoe.contains(true)) {
      throw new IllegalArgumentException("no layer has experts");
    }
    if (!(scalingFactor > 0) || Double.isInfinite(scalingFactor)) {
      throw new IllegalArgumentException("scalingFactor " + scalingFactor + " is not positive");
    }
    if (!(auxLossCoeff >= 0) || Double.isInfinite(auxLossCoeff)) {
      throw new IllegalArgumentException("auxLossCoeff " + auxLossCoeff + " is negative");
    }
    layerIsMoe = layerIsMoe.contains(false) ? List.copyOf(layerIsMoe) : List.of();
  }

  private static void require(String name, int value, int min, int max) {
    if (value < min || value > max) {
      throw new IllegalArgumentException(name + " " + value + " is not in " + min + ".." + max);
    }
  }

  /**
   * Experts in every layer, none shared, softmax over those picked (Mixtral's way), no auxiliary
   * loss.
   */
  public static MixtureOfExperts of(int numExperts, int topk, int moeFfnHiddenSize) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        0,
        false,
        List.of(),
        false,
        ScoreFunction.SOFTMAX,
        false,
        0,
        0,
        1,
        0);
  }

  /** Whether layer {@code layer}, counted from 0 through all stages, has experts. */
  public boolean isMoe(int layer) {
    return layerIsMoe.isEmpty() || layerIsMoe.get(layer);
  }

  /** {@code numLayers} flags, the first {@code dense} of them false. */
  public static List<Boolean> denseFirst(int dense, int numLayers) {
    List<Boolean> flags = new ArrayList<>(Collections.nCopies(numLayers, true));
    Collections.fill(flags.subList(0, Math.min(dense, numLayers)), false);
    return flags;
  }

  /** With a shared expert of that width. */
  public MixtureOfExperts withSharedExpert(int ffnHiddenSize, boolean gate) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        ffnHiddenSize,
        gate,
        layerIsMoe,
        preSoftmax,
        scoreFunction,
        expertBias,
        numGroups,
        groupTopk,
        scalingFactor,
        auxLossCoeff);
  }

  /** With experts in some layers only. */
  public MixtureOfExperts withLayerIsMoe(List<Boolean> flags) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        sharedExpertFfnHiddenSize,
        sharedExpertGate,
        flags,
        preSoftmax,
        scoreFunction,
        expertBias,
        numGroups,
        groupTopk,
        scalingFactor,
        auxLossCoeff);
  }

  /** With another way from logits to weights. */
  public MixtureOfExperts withScores(
      ScoreFunction function, boolean normalisedBefore, boolean bias, double factor) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        sharedExpertFfnHiddenSize,
        sharedExpertGate,
        layerIsMoe,
        normalisedBefore,
        function,
        bias,
        numGroups,
        groupTopk,
        factor,
        auxLossCoeff);
  }

  /** With groups of experts, of which {@code picked} are looked at. */
  public MixtureOfExperts withGroups(int groups, int picked) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        sharedExpertFfnHiddenSize,
        sharedExpertGate,
        layerIsMoe,
        preSoftmax,
        scoreFunction,
        expertBias,
        groups,
        picked,
        scalingFactor,
        auxLossCoeff);
  }

  /** With that weight of the load-balancing loss. */
  public MixtureOfExperts withAuxLossCoeff(double value) {
    return new MixtureOfExperts(
        numExperts,
        topk,
        moeFfnHiddenSize,
        sharedExpertFfnHiddenSize,
        sharedExpertGate,
        layerIsMoe,
        preSoftmax,
        scoreFunction,
        expertBias,
        numGroups,
        groupTopk,
        scalingFactor,
        value);
  }
}
